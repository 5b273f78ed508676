"""Folders and buckets of Parquet files and Delta tables."""
