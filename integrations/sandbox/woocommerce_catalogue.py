"""What the pretend WooCommerce store sells: products and variations with their stock; they are replaced, never changed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

HOST = "boutique.test"
ORIGIN = f"https://{HOST}"


@dataclass(frozen=True, slots=True)
class Variation:
    """A variation of a variable product; `stock` is None where the stock is not managed."""

    id: int
    option: str
    sku: str
    price: Decimal
    stock: int | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A simple or variable product; prices include 20 % VAT; `hue` colours its picture; `status` is publish, draft or trash."""

    id: int
    name: str
    slug: str
    category: str
    description: str
    sku: str
    price: Decimal
    hue: int
    attribute: str = ""
    variations: tuple[Variation, ...] = ()
    stock: int | None = None
    status: str = "publish"
    modified_at: datetime | None = None

    @property
    def image_url(self) -> str:
        """Where the store serves the picture."""
        return f"{ORIGIN}/wp-content/uploads/2026/11/{self.slug}.png"

    @property
    def url(self) -> str:
        """The product's page."""
        return f"{ORIGIN}/product/{self.slug}/"

    def stock_of(self, variation: Variation | None) -> int | None:
        """How many are left of the product or of one variation; None where nobody counts."""
        return variation.stock if variation else self.stock


CATALOGUE = (
    Product(16, "Bougie parfumée « Lavande »", "bougie-lavande", "Bougies", "Cire végétale, 40 heures.", "BOUG-LAV", Decimal("24.90"), 265),
    Product(19, "Savon de Marseille", "savon-de-marseille", "Savons", "Huile d’olive, 72 %.", "SAVON-MRS", Decimal("8.60"), 95),
    Product(24, "Coffret découverte", "coffret-decouverte", "Coffrets", "Trois savons et une bougie.", "COF-DEC", Decimal("59.00"), 20),
    Product(
        36, "Huile d’olive AOP", "huile-dolive-aop", "Épicerie fine", "Première pression à froid.", "HUILE", Decimal("9.50"), 62, "Volume",
        (Variation(37, "250 ml", "HUILE-250", Decimal("9.50")), Variation(38, "500 ml", "HUILE-500", Decimal("16.00"))),
    ),
)  # fmt: skip
