"""Which cultivar is it, when the instruments are noisy?"""
