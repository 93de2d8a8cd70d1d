"""Mini-batch k-means (Sculley, 2010) for palettes."""

from sklearn.cluster import MiniBatchKMeans


def learn_palette(pixels, colors, batch_size, epochs, seed):
    """Return a palette of `colors` rows learned from an n x 3 array of pixels."""
    quantizer = MiniBatchKMeans(
        n_clusters=colors,
        init="random",
        n_init=1,
        batch_size=batch_size,
        max_iter=epochs,
        max_no_improvement=None,
        reassignment_ratio=0.0,
        random_state=seed,
    )
    quantizer.fit(pixels)
    return quantizer.cluster_centers_
