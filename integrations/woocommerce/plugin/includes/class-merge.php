<?php
/**
 * A saved cart goes into the cart of today.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Adds what is missing and takes nothing away; says what could not come back and what costs something else now.
 */
final class Merge {

	/**
	 * The visitor's cart.
	 *
	 * @var \WC_Cart
	 */
	private $cart;

	/**
	 * What the visitor has to know, in HTML that is safe to show.
	 *
	 * @var string[]
	 */
	private $told = array();

	/**
	 * Takes the visitor's cart.
	 *
	 * @param \WC_Cart $cart The visitor's cart.
	 */
	private function __construct( $cart ) {
		$this->cart = $cart;
	}

	/**
	 * Merges a saved cart and gives back what has changed since, one sentence for each thing; none if all is as it was.
	 *
	 * @param \WC_Cart $cart The visitor's cart.
	 * @param array    $row  The saved cart.
	 */
	public static function into( $cart, array $row ): array {
		$merge   = new self( $cart );
		$notices = wc_get_notices();
		$lines   = array();
		foreach ( $row['cart']['lines'] ?? array() as $line ) {
			$key = $merge->add_line( $line );
			if ( '' !== $key ) {
				$lines[ $key ] = $line;
			}
		}
		foreach ( $row['cart']['coupons'] ?? array() as $code ) {
			$merge->add_coupon( (string) $code );
		}
		$cart->calculate_totals();
		if ( get_woocommerce_currency() === $row['currency'] ) {
			$merge->compare_prices( $lines );
		}
		// WooCommerce's own words for the same things; ours say it once, and for all.
		wc_set_notices( $notices );
		return $merge->told;
	}

	/**
	 * Brings one line back and gives the key it has in the cart; "" if it cannot come back.
	 *
	 * @param array $line As it was saved.
	 */
	private function add_line( array $line ): string {
		$product = wc_get_product( $line['variation_id'] ? $line['variation_id'] : $line['product_id'] );
		$name    = $product ? wp_strip_all_tags( (string) $product->get_name() ) : (string) $line['name'];
		if ( ! $product || ! $this->is_sold( $product, (int) $line['product_id'] ) ) {
			/* translators: %s: name of a product */
			$this->tell( __( '“%s” is no longer sold and was left out.', 'connector-carts' ), $name );
			return '';
		}
		$key    = $this->key_of( $line );
		$had    = '' === $key ? 0 : $this->cart->get_cart()[ $key ]['quantity'];
		$wanted = $product->is_sold_individually() ? 1 : wc_stock_amount( $line['quantity'] );
		$more   = $wanted > $had ? $this->within_stock( $product, $wanted - $had, $had, $name ) : 0;
		if ( $more <= 0 ) {
			return $key;
		}
		$added = $this->add( $line, $key, $had, $more );
		if ( '' === $added ) {
			/* translators: %s: name of a product */
			$this->tell( __( '“%s” could not be added again.', 'connector-carts' ), $name );
		}
		return $added;
	}

	/**
	 * Whether a product can be bought at all, by anybody.
	 *
	 * @param \WC_Product $product   The product or variation.
	 * @param int         $parent_id The product that a variation belongs to.
	 */
	private function is_sold( $product, int $parent_id ): bool {
		$parent = $product->get_id() === $parent_id ? $product : wc_get_product( $parent_id );
		return $parent && 'publish' === $parent->get_status() && 'publish' === $product->get_status() && $product->is_purchasable();
	}

	/**
	 * How many of the wanted pieces can be had; says so if it is not all of them.
	 *
	 * @param \WC_Product $product The product or variation.
	 * @param int|float   $more    Pieces wanted beside those in the cart.
	 * @param int|float   $had     Pieces of this line in the cart.
	 * @param string      $name    The product's name.
	 * @return int|float
	 */
	private function within_stock( $product, $more, $had, string $name ) {
		$left = $more;
		if ( ! $product->is_in_stock() ) {
			$left = 0;
		} elseif ( $product->managing_stock() && ! $product->backorders_allowed() ) {
			$taken = $this->cart->get_cart_item_quantities()[ $product->get_stock_managed_by_id() ] ?? 0;
			$left  = max( 0, min( $more, $product->get_stock_quantity() - $taken ) );
		}
		if ( $left < $more && $left + $had <= 0 ) {
			/* translators: %s: name of a product */
			$this->tell( __( '“%s” is sold out and was left out.', 'connector-carts' ), $name );
		} elseif ( $left < $more ) {
			/* translators: 1: name of a product, 2: number of pieces */
			$this->tell( __( 'Of “%1$s” only %2$s could be kept: there are no more in stock.', 'connector-carts' ), $name, (string) ( $left + $had ) );
		}
		return $left;
	}

	/**
	 * Puts pieces into the cart and gives the line's key; "" if WooCommerce or a plugin of the shop refuses.
	 *
	 * @param array     $line As it was saved.
	 * @param string    $key  Of the line in the cart, or "".
	 * @param int|float $had  Pieces of it in the cart.
	 * @param int|float $more Pieces to add.
	 */
	private function add( array $line, string $key, $had, $more ): string {
		try {
			if ( '' !== $key ) {
				return $this->cart->set_quantity( $key, $had + $more, false ) ? $key : '';
			}
			return (string) $this->cart->add_to_cart( $line['product_id'], $more, $line['variation_id'], self::variation( $line ), $line['data'] ?? array() );
		} catch ( \Throwable $refusal ) {
			// What other plugins do while a product is added is not ours; the rest of the cart must still come back.
			return '';
		}
	}

	/**
	 * The key of the same line in the visitor's cart, or "".
	 *
	 * @param array $line As it was saved.
	 */
	private function key_of( array $line ): string {
		$items = $this->cart->get_cart();
		if ( isset( $items[ $line['key'] ] ) ) {
			return $line['key'];
		}
		$key = $this->cart->generate_cart_id( $line['product_id'], $line['variation_id'], self::variation( $line ), $line['data'] ?? array() );
		return isset( $items[ $key ] ) ? $key : '';
	}

	/**
	 * The chosen attributes as WooCommerce names them.
	 *
	 * @param array $line As it was saved.
	 */
	private static function variation( array $line ): array {
		$variation = array();
		foreach ( $line['attributes'] ?? array() as $name => $value ) {
			$variation[ 'attribute_' . $name ] = $value;
		}
		return $variation;
	}

	/**
	 * Applies a coupon again, unless it would push the visitor's own out.
	 *
	 * @param string $code The coupon's code.
	 */
	private function add_coupon( string $code ): void {
		if ( '' === $code || $this->cart->is_empty() || $this->cart->has_discount( $code ) ) {
			return;
		}
		$coupon = new \WC_Coupon( $code );
		$alone  = $coupon->get_individual_use() && $this->cart->get_applied_coupons();
		if ( $alone || ! $this->cart->apply_coupon( $code ) ) {
			/* translators: %s: code of a coupon */
			$this->tell( __( 'The coupon “%s” could not be used again.', 'connector-carts' ), $code );
		}
	}

	/**
	 * Names the lines whose price is another one today. What the shop asks for today is what holds.
	 *
	 * @param array $lines Saved lines by their key in the cart.
	 */
	private function compare_prices( array $lines ): void {
		$items = $this->cart->get_cart();
		foreach ( $lines as $key => $line ) {
			$before = (string) ( $line['price'] ?? '' );
			if ( ! isset( $items[ $key ] ) || ! is_numeric( $before ) ) {
				continue;
			}
			$product  = $items[ $key ]['data'];
			$decimals = wc_get_price_decimals();
			if ( wc_format_decimal( $before, $decimals ) !== wc_format_decimal( $product->get_price(), $decimals ) ) {
				$this->told[] = sprintf(
					/* translators: 1: name of a product, 2: its price now, 3: its price before */
					esc_html__( 'The price of “%1$s” has changed: it is now %2$s instead of %3$s.', 'connector-carts' ),
					esc_html( wp_strip_all_tags( (string) $product->get_name() ) ),
					wc_price( wc_get_price_to_display( $product ) ),
					wc_price( wc_get_price_to_display( $product, array( 'price' => (float) $before ) ) )
				);
			}
		}
	}

	/**
	 * Keeps a sentence for the visitor.
	 *
	 * @param string $sentence With placeholders.
	 * @param string ...$words For the placeholders.
	 */
	private function tell( string $sentence, string ...$words ): void {
		$this->told[] = esc_html( vsprintf( $sentence, $words ) );
	}
}
