"""Import names, package names and conda names that differ: tables, nothing else."""

from __future__ import annotations

import re
import sys

PACKAGE_OF_IMPORT: dict[str, str] = {
    "absl": "absl-py", "antlr4": "antlr4-python3-runtime", "attr": "attrs", "bayes_opt": "bayesian-optimization",
    "boruta": "Boruta", "bs4": "beautifulsoup4", "cairosvg": "CairoSVG", "clip": "openai-clip", "community": "python-louvain",
    "configargparse": "ConfigArgParse", "Crypto": "pycryptodome", "cv2": "opencv-python-headless", "Cython": "cython",
    "dateutil": "python-dateutil", "docx": "python-docx", "dotenv": "python-dotenv", "faiss": "faiss-cpu", "fitz": "PyMuPDF",
    "git": "GitPython", "github": "PyGithub", "google.protobuf": "protobuf", "hydra": "hydra-core",
    "imblearn": "imbalanced-learn", "IPython": "ipython", "jose": "python-jose", "jwt": "PyJWT",
    "line_profiler": "line_profiler", "magic": "python-magic", "markdown": "Markdown", "mpl_toolkits": "matplotlib",
    "multipart": "python-multipart", "MySQLdb": "mysqlclient", "nacl": "PyNaCl", "OpenSSL": "pyOpenSSL", "osgeo": "GDAL",
    "ot": "POT", "patoolib": "patool", "PIL": "Pillow", "pkg_resources": "setuptools<81", "pptx": "python-pptx",
    "progressbar": "progressbar2", "psycopg2": "psycopg2-binary", "pulp": "PuLP", "pylab": "matplotlib",
    "pyscipopt": "PySCIPOpt", "pywt": "PyWavelets", "ruamel": "ruamel.yaml", "serial": "pyserial", "skbio": "scikit-bio",
    "skfda": "scikit-fda", "skfuzzy": "scikit-fuzzy", "skimage": "scikit-image", "sklearn": "scikit-learn",
    "sklearn_extra": "scikit-learn-extra", "sklearnex": "scikit-learn-intelex", "sklego": "scikit-lego",
    "skmultilearn": "scikit-multilearn", "skopt": "scikit-optimize", "sksurv": "scikit-survival", "skvideo": "scikit-video",
    "slugify": "python-slugify", "snappy": "python-snappy", "socks": "PySocks", "softdtw": "soft-dtw",
    "speech_recognition": "SpeechRecognition", "tlz": "toolz", "uci_ml_repo": "ucimlrepo", "umap": "umap-learn", "usb": "pyusb",
    "websocket": "websocket-client", "wx": "wxPython", "yaml": "PyYAML", "zmq": "pyzmq",
}  # fmt: skip
"""Import name → package name, where they differ or where a name is too ordinary to guess."""

PACKAGE_RENAMES: dict[str, str] = {
    "attr": "attrs", "bs4": "beautifulsoup4", "crypto": "pycryptodome", "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil", "dotenv": "python-dotenv", "faiss": "faiss-cpu", "hydra": "hydra-core",
    "imblearn": "imbalanced-learn", "opencv": "opencv-python-headless",
    "opencv-contrib-python": "opencv-contrib-python-headless", "opencv-python": "opencv-python-headless", "ot": "POT",
    "pil": "Pillow", "python-opencv": "opencv-python-headless", "pytorch": "torch", "pytorch-cpu": "torch",
    "pytorch-gpu": "torch", "pytorch-scatter": "torch-scatter", "scikit-learn-gpu": "scikit-learn", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "skopt": "scikit-optimize", "tensorflow-gpu": "tensorflow", "tf-nightly-gpu": "tensorflow",
    "torch-cpu": "torch", "umap": "umap-learn", "yaml": "PyYAML",
}  # fmt: skip
"""Names people write in requirement files → the package that is meant."""

GPU_PACKAGES: dict[str, str] = {
    "faiss-gpu": "faiss-cpu",
    "jax-cuda": "jax",
    "onnxruntime-gpu": "onnxruntime",
    "tensorflow-gpu": "tensorflow",
}
"""Packages that need a GPU → what serves on a machine without one."""

NOT_PACKAGES = frozenset(
    {
    "appnope", "apturl", "argparse", "brlapi", "command-not-found", "configparser", "cupshelpers", "dataclasses", "dbus-python",
    "distribute", "enum34", "functools32", "futures", "language-selector", "pathlib", "pkg-resources", "pygobject", "pypiwin32",
    "pyreadline", "python-apt", "python-debian", "pywin32", "pywinpty", "screen-resolution-extra", "ssh-import-id",
    "subprocess32", "typing", "ubuntu-drivers-common", "ufw", "unattended-upgrades", "win-inet-pton", "win-unicode-console",
    "wincertstore", "windows-curses", "wsgiref", "xkit",
    }
)  # fmt: skip
"""In exported lists, but part of Python, of another system or of a distribution: left out."""

CONDA_ONLY = frozenset(
    {
    "_libgcc_mutex", "_openmp_mutex", "anaconda", "blas", "bzip2", "ca-certificates", "certifi", "cmake", "compilers", "conda",
    "cuda", "cudatoolkit", "cudnn", "dbus", "expat", "ffmpeg", "fontconfig", "freetype", "gcc", "gcc_linux-64", "gettext",
    "giflib", "git", "glib", "gmp", "gnutls", "gst-plugins-base", "gstreamer", "gxx", "gxx_linux-64", "icu", "intel-openmp",
    "jpeg", "jupyter", "lame", "lcms2", "ld_impl_linux-64", "libblas", "libcblas", "libedit", "libffi", "libgcc-ng",
    "libgfortran-ng", "libgfortran4", "libgfortran5", "libgomp", "libiconv", "libidn2", "liblapack", "libopenblas", "libpng",
    "libsodium", "libstdcxx-ng", "libtasn1", "libtiff", "libunistring", "libuuid", "libwebp", "libwebp-base", "libxcb",
    "libxml2", "lz4-c", "make", "mkl", "mkl-service", "mkl_fft", "mkl_random", "ncurses", "nettle", "nodejs", "nomkl",
    "numpy-base", "openblas", "openh264", "openjpeg", "openssl", "pcre", "pip", "pyqt", "python", "python_abi", "pytorch-cuda",
    "pytorch-mutex", "qt", "readline", "setuptools", "sip", "sqlite", "tbb", "tk", "tzdata-base", "vc", "vs2015_runtime",
    "wheel", "xz", "zlib", "zstd",
    }
)  # fmt: skip
"""Conda packages without a counterpart on a Python index, or that come along by themselves."""

CONDA_RENAMES: dict[str, str] = {
    "dgl-cuda11.3": "dgl", "faiss-gpu": "faiss-cpu", "importlib_metadata": "importlib-metadata",
    "matplotlib-base": "matplotlib", "msgpack-python": "msgpack", "opencv": "opencv-python-headless", "pillow": "Pillow",
    "poppler-qt": "", "pot": "POT", "prompt_toolkit": "prompt-toolkit", "py-boost": "boost",
    "py-opencv": "opencv-python-headless", "py-xgboost": "xgboost", "pyg": "torch-geometric", "pytables": "tables",
    "python-graphviz": "graphviz", "python-igraph": "igraph", "python-lmdb": "lmdb", "pytorch": "torch", "pytorch-cpu": "torch",
    "pytorch-gpu": "torch", "pytorch-scatter": "torch-scatter", "pytorch-sparse": "torch-sparse",
    "pytorch_geometric": "torch-geometric", "ruamel_yaml": "ruamel.yaml", "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow", "tensorflow-gpu": "tensorflow", "tensorflow-mkl": "tensorflow", "umap": "umap-learn",
}  # fmt: skip
"""Conda name → name on a Python index; empty: none."""


def canonical(name: str) -> str:
    """A distribution's normalised name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def package_of(module: str) -> str:
    """The package that most likely provides the import `module` (dotted names allowed)."""
    for name in (module, module.partition(".")[0]):
        if name in PACKAGE_OF_IMPORT:
            return PACKAGE_OF_IMPORT[name]
    return module.partition(".")[0].replace("_", "-")


def is_standard(module: str) -> bool:
    """Is it part of Python (now, or until a recent version)?"""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in _FORMER


_FORMER = frozenset(
    {
        "distutils", "imp", "asynchat", "asyncore", "smtpd", "cgi", "cgitb", "crypt", "nntplib", "pipes", "telnetlib", "lib2to3",
        "urllib2", "cPickle", "ConfigParser", "Queue", "StringIO", "cStringIO", "commands", "__builtin__", "Tkinter", "httplib",
        "urlparse", "itertools", "copy_reg", "HTMLParser", "thread",
    }
)  # fmt: skip
