"""What Beam's --setup_file and the image build run; the metadata is in pyproject.toml."""

from setuptools import setup

setup()
