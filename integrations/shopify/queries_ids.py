"""The GraphQL documents that list numbers and nothing else; valid on 2026-10. A page of 250 costs 252 points."""

from collections.abc import Mapping

ID_PAGE = 250


def _listing(root: str, name: str) -> str:
    return f"""
query {name}($first: Int!, $after: String, $query: String) {{
  found: {root}(first: $first, after: $after, query: $query, sortKey: ID) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ id }}
  }}
}}
"""


ORDER_IDS = _listing("orders", "OrderIds")
CUSTOMER_IDS = _listing("customers", "CustomerIds")
PRODUCT_IDS = _listing("products", "ProductIds")
CODE_IDS = _listing("discountNodes", "CodeIds")
COSTS: Mapping[str, float] = dict.fromkeys((ORDER_IDS, CUSTOMER_IDS, PRODUCT_IDS, CODE_IDS), 252)
"""What a document is reckoned to cost before Shopify said so for the first time."""
