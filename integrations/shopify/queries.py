"""
The GraphQL documents with which we read; each is validated against the 2026-10 schema and names no deprecated field.

One query may cost 1000 points (object 1, connection 2 + first × node), so the page sizes below are as large as they can be: 24
products with 5 variants each cost 986, 14 orders with 10 lines each 996, 12 checkouts with 10 lines each 926, 166 customers 998.
"""

from collections.abc import Mapping

PRODUCT_PAGE = 24
ORDER_PAGE = 14
CHECKOUT_PAGE = 12
CUSTOMER_PAGE = 166

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

# By itself: it may never be null, so one that is withheld would take the whole answer along.
ONLINE_STORE = "query OnlineStoreNow { onlineStore { passwordProtection { enabled } } }"

# ---------------------------------------------------------------- products

STOCK = "availableForSale inventoryItem { id }"
VARIANT = f"id title sku price {STOCK} media(first: 1) {{ nodes {{ preview {{ image {{ url }} }} }} }}"
PRODUCT_FIELDS = """
      title productType description(truncateAt: 500) onlineStoreUrl updatedAt status
      featuredMedia { preview { image { url } } }"""
PRODUCT = f"""{PRODUCT_FIELDS}
      variants(first: 5) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {VARIANT} }} }}"""

# What is asked for by gid is null if it is gone, and may be null if the scope for it was taken away: the scopes tell which.
GRANTED = "currentAppInstallation { accessScopes { handle } }"

PRODUCTS = f"""
query ProductsByGid($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    id
    ... on Product {{{PRODUCT}
    }}
  }}
  {GRANTED}
}}
"""

PRODUCTS_CHANGED = f"""
query ProductsChangedSince($first: Int!, $after: String, $query: String!) {{
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{
      id{PRODUCT}
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

ON_SALE = f"""
query OnSaleNow($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    id
    ... on ProductVariant {{ title price availableForSale product {{ id status title }} }}
    ... on Product {{ title status variants(first: 5) {{ nodes {{ price availableForSale }} }} }}
  }}
  {GRANTED}
}}
"""

# ---------------------------------------------------------------- people

WHO = "id firstName lastName locale"
WHERE = "firstName lastName company phone countryCodeV2"
PERSON = f"""{WHO}
        defaultEmailAddress {{ emailAddress }}
        defaultPhoneNumber {{ phoneNumber }}
        defaultAddress {{ {WHERE} }}"""
CUSTOMER = f"""{WHO} createdAt updatedAt
      defaultEmailAddress {{ emailAddress marketingState marketingUpdatedAt }}
      defaultPhoneNumber {{
        phoneNumber
        smsMarketingConsent {{ state updatedAt }}
        whatsAppMarketingConsent {{ state updatedAt }}
      }}
      defaultAddress {{ {WHERE} }}"""

CUSTOMERS = f"""
query CustomersChangedSince($first: Int!, $after: String, $query: String!, $reverse: Boolean!) {{
  customers(first: $first, after: $after, query: $query, sortKey: UPDATED_AT, reverse: $reverse) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{
      {CUSTOMER}
    }}
  }}
}}
"""

CUSTOMER_NOW = f"""
query CustomerNow($id: ID!) {{
  customer(id: $id) {{
      {CUSTOMER}
  }}
}}
"""

# ---------------------------------------------------------------- orders

LINE = "id title variantTitle sku quantity"
ORDER_LINE = f"{LINE} originalUnitPriceSet {{ shopMoney {{ amount }} }} product {{ id }} variant {{ id }}"
ORDER_FIELDS = f"""
      id name createdAt updatedAt processedAt cancelledAt test checkoutToken cartToken email currencyCode customerLocale
      displayFinancialStatus taxesIncluded discountCodes
      totalPriceSet {{ shopMoney {{ amount }} }}
      subtotalPriceSet {{ shopMoney {{ amount }} }}
      totalDiscountsSet {{ shopMoney {{ amount }} }}
      totalTaxSet {{ shopMoney {{ amount }} }}
      totalRefundedSet {{ shopMoney {{ amount }} }}
      transactions(first: 10) {{ kind status processedAt }}
      disputes {{ initiatedAs status }}
      customer {{
        {PERSON}
      }}
      shippingAddress {{ {WHERE} }}
      billingAddress {{ {WHERE} }}"""
ORDER = f"""{ORDER_FIELDS}
      lineItems(first: 10) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {ORDER_LINE} }} }}"""

ORDERS = f"""
query OrdersChangedSince($first: Int!, $after: String, $query: String!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{{ORDER}
    }}
  }}
}}
"""

ORDERS_OF = f"""
query OrdersOfCheckout($query: String!) {{
  orders(first: 5, query: $query, sortKey: CREATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{{ORDER}
    }}
  }}
}}
"""

ORDER_NOW = f"""
query OrderNow($id: ID!) {{
  order(id: $id) {{{ORDER}
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

# ---------------------------------------------------------------- abandoned checkouts

PRESENTED = "presentmentMoney { amount currencyCode }"
CHECKOUT_LINE = f"{LINE} originalUnitPriceSet {{ {PRESENTED} }} image {{ url }} product {{ id }} variant {{ id }}"
CHECKOUT_FIELDS = f"""
      id name createdAt updatedAt completedAt abandonedCheckoutUrl discountCodes taxesIncluded
      totalPriceSet {{ {PRESENTED} }}
      subtotalPriceSet {{ {PRESENTED} }}
      totalDiscountSet {{ {PRESENTED} }}
      totalTaxSet {{ {PRESENTED} }}
      customer {{
        {PERSON}
      }}
      shippingAddress {{ {WHERE} }}
      billingAddress {{ {WHERE} }}"""
CHECKOUT = f"""{CHECKOUT_FIELDS}
      lineItems(first: 10) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {CHECKOUT_LINE} }} }}"""

# There is no sort key for the time of a change: pages go by id.
CHECKOUTS = f"""
query CheckoutsChangedSince($first: Int!, $after: String, $query: String!) {{
  abandonedCheckouts(first: $first, after: $after, query: $query, sortKey: ID) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{{CHECKOUT}
    }}
  }}
}}
"""

CHECKOUT_NOW = f"""
query CheckoutNow($id: ID!) {{
  node(id: $id) {{
    ... on AbandonedCheckout {{{CHECKOUT}
    }}
  }}
  {GRANTED}
}}
"""

CHECKOUT_LINES = f"""
query LinesOfCheckout($id: ID!, $after: String) {{
  node(id: $id) {{
    ... on AbandonedCheckout {{
      lineItems(first: 100, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {CHECKOUT_LINE} }} }}
    }}
  }}
}}
"""

# ---------------------------------------------------------------- counts

COUNT_ORDERS = "query CountOrders($query: String) { found: ordersCount(query: $query, limit: null) { count precision } }"
COUNT_CUSTOMERS = "query CountCustomers($query: String) { found: customersCount(query: $query, limit: null) { count precision } }"
COUNT_PRODUCTS = "query CountProducts($query: String) { found: productsCount(query: $query, limit: null) { count precision } }"
COUNT_CHECKOUTS = "query CountCheckouts($query: String) { found: abandonedCheckoutsCount(query: $query, limit: null) { count precision } }"
COUNT_CODES = "query CountCodes($query: String) { found: discountNodesCount(query: $query, limit: null) { count precision } }"

COSTS: Mapping[str, float] = {
    SHOP: 5,
    ONLINE_STORE: 2,
    PRODUCTS: 986,
    PRODUCTS_CHANGED: 986,
    VARIANTS: 702,
    ON_SALE: 402,
    CUSTOMERS: 998,
    CUSTOMER_NOW: 8,
    ORDERS: 996,
    ORDERS_OF: 357,
    ORDER_NOW: 80,
    LINES: 502,
    CHECKOUTS: 926,
    CHECKOUT_NOW: 100,
    CHECKOUT_LINES: 502,
    **dict.fromkeys((COUNT_ORDERS, COUNT_CUSTOMERS, COUNT_PRODUCTS, COUNT_CHECKOUTS, COUNT_CODES), 1),
}
"""What a document is reckoned to cost before Shopify said so for the first time."""
