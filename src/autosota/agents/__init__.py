"""The paper's eight agents, one file each: records in, records out."""
