"""Zoho: signing in, and reading Desk and CRM into a private folder of raw records."""
