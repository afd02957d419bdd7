"""Tests of whole stages and of the whole project."""
