"""autosota: a research paper and its code in, a better version that can be believed out."""

__version__ = "0.1.0"
