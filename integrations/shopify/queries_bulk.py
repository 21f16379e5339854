"""
The documents of bulk operations: what starts and watches one, and what is handed over as its text.

Such a text has no variables, at most five connections, and writes them as `edges { node { … } }`; `first` would be ignored. `WORDS` is
where its filter goes. Pictures of variants are left out: they would be a connection within a connection within a connection.
"""

from integrations.shopify import queries, queries_codes

WORDS = "WORDS"

RUN = """
mutation RunBulkQuery($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status }
    userErrors { field code message }
  }
}
"""

LOOK = """
query BulkOperationNow($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount url }
}
"""

ORDERS = f"""
query BulkOrders {{
  orders(query: "{WORDS}") {{
    edges {{
      node {{{queries.ORDER_FIELDS}
        lineItems {{ edges {{ node {{ {queries.ORDER_LINE} }} }} }}
      }}
    }}
  }}
}}
"""

CUSTOMERS = f"""
query BulkCustomers {{
  customers(query: "{WORDS}") {{ edges {{ node {{ {queries.CUSTOMER} }} }} }}
}}
"""

PRODUCTS = f"""
query BulkProducts {{
  products(query: "{WORDS}") {{
    edges {{
      node {{
        id{queries.PRODUCT_FIELDS}
        variants {{ edges {{ node {{ id title sku price {queries.STOCK} }} }} }}
      }}
    }}
  }}
}}
"""

CHECKOUTS = f"""
query BulkCheckouts {{
  abandonedCheckouts(query: "{WORDS}") {{
    edges {{
      node {{{queries.CHECKOUT_FIELDS}
        lineItems {{ edges {{ node {{ {queries.CHECKOUT_LINE} }} }} }}
      }}
    }}
  }}
}}
"""

_CODES_OF = queries_codes.KINDS.replace(queries_codes.FIRST_CODE, "codes { edges { node { id code asyncUsageCount } } }")
CODES = f"""
query BulkCodes {{
  discountNodes(query: "method:code {WORDS}") {{ edges {{ node {{ id discount {{ {_CODES_OF} }} }} }} }}
}}
"""
