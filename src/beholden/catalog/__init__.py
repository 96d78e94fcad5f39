"""The catalog: everything known about footage, cameras, people's rights and looks, in one database."""

from beholden.catalog.catalog import Catalog, CatalogError

__all__ = ["Catalog", "CatalogError"]
