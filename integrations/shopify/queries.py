"""
The GraphQL documents we send; each was validated against the 2026-10 schema and names no deprecated field.

One query may cost 1000 points (object 1, connection 2 + first × node), so the page sizes below are part of the contract:
products 20 × (5 variants of 6) = 740 + 1, orders 10 × (10 lines of 5 + 20) ≈ 720.
"""

PRODUCT_PAGE = 20
ORDER_PAGE = 10

SHOP = """
query ShopProfile {
  shop {
    id name email contactEmail myshopifyDomain currencyCode ianaTimezone taxesIncluded
    primaryDomain { url host }
    billingAddress: shopAddress { company address1 address2 zip city province country countryCodeV2 }
  }
  currentAppInstallation { accessScopes { handle } }
}
"""

VARIANT = "id title sku price media(first: 1) { nodes { preview { image { url } } } }"

PRODUCTS = f"""
query ProductsByGid($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    id
    ... on Product {{
      title productType description(truncateAt: 500) onlineStoreUrl updatedAt
      featuredMedia {{ preview {{ image {{ url }} }} }}
      variants(first: 5) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {VARIANT} }} }}
    }}
  }}
}}
"""

VARIANTS = f"""
query VariantsOfProduct($id: ID!, $after: String) {{
  product(id: $id) {{
    variants(first: 100, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {VARIANT} }} }}
  }}
}}
"""

ORDER_LINE = "id title variantTitle sku quantity originalUnitPriceSet { shopMoney { amount } } product { id } variant { id }"

ORDERS = f"""
query OrdersChangedSince($first: Int!, $after: String, $query: String!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{
      id name createdAt updatedAt processedAt cancelledAt test checkoutToken cartToken email currencyCode customerLocale
      displayFinancialStatus taxesIncluded discountCodes
      totalPriceSet {{ shopMoney {{ amount }} }}
      subtotalPriceSet {{ shopMoney {{ amount }} }}
      totalDiscountsSet {{ shopMoney {{ amount }} }}
      totalTaxSet {{ shopMoney {{ amount }} }}
      customer {{
        id firstName lastName
        defaultEmailAddress {{ emailAddress }}
        defaultPhoneNumber {{ phoneNumber }}
        defaultAddress {{ firstName lastName phone countryCodeV2 }}
      }}
      shippingAddress {{ firstName lastName countryCodeV2 }}
      billingAddress {{ firstName lastName countryCodeV2 }}
      lineItems(first: 10) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {ORDER_LINE} }} }}
    }}
  }}
}}
"""

LINES = f"""
query LinesOfOrder($id: ID!, $after: String) {{
  order(id: $id) {{
    lineItems(first: 100, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {ORDER_LINE} }} }}
  }}
}}
"""
