"""
The GraphQL documents about discount codes; valid on 2026-10, none names a deprecated field.

A discount is named by `gid://shopify/DiscountCodeNode/N` when it is changed and by `gid://shopify/DiscountNode/N` in lists: the number is
the same. Costs (object 1, connection 2 + its nodes, mutation 10) are a few points each, but for lists: 76 discounts cost 990.
"""

from collections.abc import Mapping

CODE_PAGE = 76
BULK = 250
"""Shopify takes so many unique codes at once."""
OWNERS_AT_ONCE = 25
FOUND_AT_ONCE = 10
"""So many codes of one discount are looked for in one call."""

FIRST_CODE = "codes(first: 1) { nodes { code asyncUsageCount } }"
_COMMON = f"""
title status startsAt endsAt updatedAt usageLimit appliesOncePerCustomer asyncUsageCount
codesCount {{ count }}
{FIRST_CODE}
context {{ __typename }}
"""
_MINIMUM = """
minimumRequirement {
  __typename
  ... on DiscountMinimumSubtotal { greaterThanOrEqualToSubtotal { amount currencyCode } }
}
"""
KINDS = f"""
__typename
... on DiscountCodeBasic {{
  {_COMMON} {_MINIMUM}
  customerGets {{
    appliesOnOneTimePurchase
    items {{ __typename }}
    value {{
      __typename
      ... on DiscountPercentage {{ percentage }}
      ... on DiscountAmount {{ amount {{ amount currencyCode }} }}
    }}
  }}
}}
... on DiscountCodeFreeShipping {{ {_COMMON} {_MINIMUM} appliesOnOneTimePurchase destinationSelection {{ __typename }} }}
... on DiscountCodeBxgy {{ {_COMMON} }}
... on DiscountCodeApp {{ {_COMMON} }}
"""
_CHANGED = f"codeDiscountNode {{ id codeDiscount {{ {KINDS} }} }} userErrors {{ field code message }}"

# Of a discount with many codes each is counted by itself; codes of a discount cannot be filtered by name, only searched.
_WITH_CODES = ("DiscountCodeBasic", "DiscountCodeFreeShipping", "DiscountCodeBxgy", "DiscountCodeApp")
_ASKED = "asked: codes(first: 5, query: $words) { nodes { code asyncUsageCount } }"
CODE = f"""
query DiscountOfCode($code: String!, $words: String!) {{
  codeDiscountNodeByCode(code: $code) {{
    id
    codeDiscount {{ {KINDS} {" ".join(f"... on {kind} {{ {_ASKED} }}" for kind in _WITH_CODES)} }}
  }}
}}
"""

DISCOUNT = f"""
query DiscountByGid($ids: [ID!]!) {{
  nodes(ids: $ids) {{ id ... on DiscountCodeNode {{ codeDiscount {{ {KINDS} }} }} }}
  currentAppInstallation {{ accessScopes {{ handle }} }}
}}
"""

DISCOUNTS = f"""
query DiscountsWithCodes($first: Int!, $after: String, $query: String!) {{
  discountNodes(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ id discount {{ {KINDS} }} }}
  }}
}}
"""

OWNERS = f"""
query OwnersOfCodes({", ".join(f"$c{place}: String!" for place in range(OWNERS_AT_ONCE))}) {{
  {" ".join(f"c{place}: codeDiscountNodeByCode(code: $c{place}) {{ id }}" for place in range(OWNERS_AT_ONCE))}
}}
"""

_PLACES = range(FOUND_AT_ONCE)
_SEARCHES = " ".join(f"w{place}: codes(first: 5, query: $w{place}) {{ nodes {{ id code asyncUsageCount }} }}" for place in _PLACES)
FIND_CODES = f"""
query CodesOfDiscount($ids: [ID!]!, {", ".join(f"$w{place}: String!" for place in _PLACES)}) {{
  nodes(ids: $ids) {{
    id
    ... on DiscountCodeNode {{ codeDiscount {{ __typename {" ".join(f"... on {kind} {{ {_SEARCHES} }}" for kind in _WITH_CODES)} }} }}
  }}
  currentAppInstallation {{ accessScopes {{ handle }} }}
}}
"""

_PAGE_OF_CODES = "codes(first: 250, after: $after) { pageInfo { hasNextPage endCursor } nodes { id code asyncUsageCount } }"
ALL_CODES = f"""
query AllCodesOfDiscount($ids: [ID!]!, $after: String) {{
  nodes(ids: $ids) {{
    id
    ... on DiscountCodeNode {{ codeDiscount {{ __typename {" ".join(f"... on {kind} {{ {_PAGE_OF_CODES} }}" for kind in _WITH_CODES)} }} }}
  }}
  currentAppInstallation {{ accessScopes {{ handle }} }}
}}
"""

CREATE_BASIC = f"""
mutation CreateBasicCode($discount: DiscountCodeBasicInput!) {{
  discountCodeBasicCreate(basicCodeDiscount: $discount) {{ {_CHANGED} }}
}}
"""

CREATE_FREE_SHIPPING = f"""
mutation CreateFreeShippingCode($discount: DiscountCodeFreeShippingInput!) {{
  discountCodeFreeShippingCreate(freeShippingCodeDiscount: $discount) {{ {_CHANGED} }}
}}
"""

ACTIVATE = """
mutation ActivateCode($id: ID!) {
  discountCodeActivate(id: $id) { codeDiscountNode { id } userErrors { field code message } }
}
"""

DEACTIVATE = """
mutation DeactivateCode($id: ID!) {
  discountCodeDeactivate(id: $id) { codeDiscountNode { id } userErrors { field code message } }
}
"""

DELETE = """
mutation DeleteCode($id: ID!) {
  discountCodeDelete(id: $id) { deletedCodeDiscountId userErrors { field code message } }
}
"""

ADD_CODES = """
mutation AddCodes($discountId: ID!, $codes: [DiscountRedeemCodeInput!]!) {
  discountRedeemCodeBulkAdd(discountId: $discountId, codes: $codes) { bulkCreation { id done } userErrors { field code message } }
}
"""

ADDED = "query CodesAdded($id: ID!) { discountRedeemCodeBulkCreation(id: $id) { done importedCount failedCount } }"

ADDED_CODES = """
query CodesOfAddition($id: ID!) {
  discountRedeemCodeBulkCreation(id: $id) {
    done importedCount failedCount
    codes(first: 250) { nodes { code discountRedeemCode { id } errors { code message } } }
  }
}
"""

REMOVE_CODES = """
mutation RemoveCodes($discountId: ID!, $ids: [ID!]!) {
  discountCodeRedeemCodeBulkDelete(discountId: $discountId, ids: $ids) { job { id done } userErrors { field code message } }
}
"""

JOB = "query JobNow($id: ID!) { job(id: $id) { done } }"

COSTS: Mapping[str, float] = {DISCOUNTS: 990}
"""What a document is reckoned to cost before Shopify said so for the first time."""
