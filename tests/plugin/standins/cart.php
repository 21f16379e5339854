<?php
/**
 * The visitor's cart, session and customer.
 */

use ConnectorCarts\Tests\World;

class WC_Session {

	/** @var array<string, mixed> */
	public $data = array();
	/** @var bool */
	public $cookie = false;
	/** @var string */
	public $id = 'guest-session-1';

	public function get( $key, $default = null ) {
		return $this->data[ $key ] ?? $default;
	}

	public function set( $key, $value ) {
		if ( null === $value ) {
			unset( $this->data[ $key ] );
			return;
		}
		$this->data[ $key ] = $value;
	}

	public function __unset( $key ) {
		unset( $this->data[ $key ] );
	}

	public function __isset( $key ) {
		return isset( $this->data[ $key ] );
	}

	public function __get( $key ) {
		return $this->get( $key );
	}

	public function __set( $key, $value ) {
		$this->set( $key, $value );
	}

	public function has_session() {
		return $this->cookie;
	}

	public function set_customer_session_cookie( $set ) {
		$this->cookie = (bool) $set;
	}

	public function get_customer_id() {
		return World::$user ? (string) World::$user : $this->id;
	}

	public function get_customer_unique_id() {
		return $this->get_customer_id();
	}
}

class WC_Customer extends WC_Data {

	public function __construct( $id = 0, array $about = array() ) {
		parent::__construct( $id, $about + array( 'meta' => World::$users[ $id ]->meta ?? array() ) );
	}

	protected static function usual(): array {
		return array(
			'email'              => '',
			'billing_email'      => '',
			'billing_phone'      => '',
			'billing_first_name' => '',
			'billing_last_name'  => '',
			'billing_company'    => '',
			'billing_country'    => '',
			'first_name'         => '',
			'last_name'          => '',
			'shipping_phone'      => '',
			'shipping_country'    => '',
			'shipping_first_name' => '',
			'shipping_last_name'  => '',
			'shipping_company'    => '',
		);
	}
}

class WC_Cart {

	/** @var array<string, array<string, mixed>> */
	public $cart_contents = array();
	/** @var array<int, string> */
	public $applied_coupons = array();
	/** @var array<string, mixed> Totals that a test sets; lines and their sums are counted. */
	public $totals = array();
	/** @var array<int, object> */
	public $fees = array();
	/** @var float Part of a net price that is tax. */
	public $rate = 0.2;

	public function get_cart() {
		return $this->cart_contents;
	}

	public function get_cart_contents() {
		return $this->cart_contents;
	}

	public function get_cart_item( $key ) {
		return $this->cart_contents[ $key ] ?? array();
	}

	public function is_empty() {
		return ! $this->cart_contents;
	}

	public function get_cart_contents_count() {
		return array_sum( array_column( $this->cart_contents, 'quantity' ) );
	}

	public function get_cart_hash() {
		return $this->cart_contents ? md5( (string) json_encode( array_map( static fn( $item ) => array( $item['key'], $item['quantity'] ), $this->cart_contents ) ) ) : '';
	}

	public function generate_cart_id( $product_id, $variation_id = 0, $variation = array(), $data = array() ) {
		return md5( serialize( array( $product_id, $variation_id, $variation, $data ) ) );
	}

	public function find_product_in_cart( $key = false ) {
		return isset( $this->cart_contents[ $key ] ) ? $key : '';
	}

	public function get_cart_item_quantities() {
		$sums = array();
		foreach ( $this->cart_contents as $item ) {
			$id          = $item['data']->get_stock_managed_by_id();
			$sums[ $id ] = ( $sums[ $id ] ?? 0 ) + $item['quantity'];
		}
		return $sums;
	}

	public function add_to_cart( $product_id = 0, $quantity = 1, $variation_id = 0, $variation = array(), $data = array() ) {
		$product = wc_get_product( $variation_id ? $variation_id : $product_id );
		if ( ! $product || 'trash' === $product->get_status() || $quantity <= 0 ) {
			return false;
		}
		$wanted = $quantity + ( $this->get_cart_item_quantities()[ $product->get_stock_managed_by_id() ] ?? 0 );
		if ( ! $product->is_purchasable() || ! $product->is_in_stock() || ! $product->has_enough_stock( $wanted ) || ( $product->is_type( 'variable' ) && ! $variation_id ) ) {
			wc_add_notice( 'WooCommerce refuses ' . $product->get_name(), 'error' );
			return false;
		}
		$data = (array) apply_filters( 'woocommerce_add_cart_item_data', $data, $product_id, $variation_id, $quantity );
		$key  = $this->generate_cart_id( $product_id, $variation_id, $variation, $data );
		if ( isset( $this->cart_contents[ $key ] ) && $product->is_sold_individually() ) {
			wc_add_notice( 'You cannot add another ' . $product->get_name(), 'error' );
			return false;
		}
		$this->cart_contents[ $key ] = apply_filters(
			'woocommerce_add_cart_item',
			array_merge(
				$data,
				array(
					'key'          => $key,
					'product_id'   => $product_id,
					'variation_id' => $variation_id,
					'variation'    => $variation,
					'quantity'     => $quantity + ( $this->cart_contents[ $key ]['quantity'] ?? 0 ),
					'data'         => $product,
					'data_hash'    => md5( $product->get_type() ),
				)
			),
			$key
		);
		do_action( 'woocommerce_add_to_cart', $key, $product_id, $quantity, $variation_id, $variation, $data );
		$this->calculate_totals();
		return $key;
	}

	public function set_quantity( $key, $quantity = 1, $refresh = true ) {
		if ( $quantity <= 0 ) {
			return $this->remove_cart_item( $key );
		}
		$old                                     = $this->cart_contents[ $key ]['quantity'];
		$this->cart_contents[ $key ]['quantity'] = $quantity;
		do_action( 'woocommerce_after_cart_item_quantity_update', $key, $quantity, $old, $this );
		$this->calculate_totals();
		return true;
	}

	public function remove_cart_item( $key ) {
		unset( $this->cart_contents[ $key ] );
		do_action( 'woocommerce_cart_item_removed', $key, $this );
		$this->calculate_totals();
		return true;
	}

	public function empty_cart( $clear = true ) {
		$this->cart_contents   = array();
		$this->applied_coupons = array();
		do_action( 'woocommerce_cart_emptied', $clear );
	}

	public function get_applied_coupons() {
		return $this->applied_coupons;
	}

	public function has_discount( $code = '' ) {
		return in_array( wc_format_coupon_code( $code ), $this->applied_coupons, true );
	}

	public function apply_coupon( $code ) {
		$code = wc_format_coupon_code( $code );
		if ( ! isset( World::$coupons[ $code ] ) ) {
			wc_add_notice( 'Coupon "' . $code . '" cannot be applied.', 'error' );
			return false;
		}
		$this->applied_coupons[] = $code;
		wc_add_notice( 'Coupon code applied successfully.', 'success' );
		do_action( 'woocommerce_applied_coupon', $code );
		return true;
	}

	public function remove_coupon( $code ) {
		$this->applied_coupons = array_values( array_diff( $this->applied_coupons, array( wc_format_coupon_code( $code ) ) ) );
		do_action( 'woocommerce_removed_coupon', $code );
		return true;
	}

	public function calculate_totals() {
		foreach ( $this->cart_contents as $key => $item ) {
			$gross = (float) $item['data']->get_price() * $item['quantity'];
			$net   = World::$facts['prices_include_tax'] ? $gross / ( 1 + $this->rate ) : $gross;
			$lines = array(
				'line_subtotal'     => $net,
				'line_subtotal_tax' => $net * $this->rate,
				'line_total'        => $net,
				'line_tax'          => $net * $this->rate,
				'line_tax_data'     => array(),
			);

			$this->cart_contents[ $key ] = array_merge( $item, $lines );
		}
		do_action( 'woocommerce_after_calculate_totals', $this );
	}

	public function display_prices_including_tax() {
		return World::$facts['display_incl'];
	}

	public function needs_shipping() {
		return World::$facts['needs_shipping'] ?? true;
	}

	public function show_shipping() {
		return World::$facts['show_shipping'] ?? true;
	}

	public function get_fees() {
		return $this->fees;
	}

	public function get_tax_price_display_mode() {
		return $this->display_prices_including_tax() ? 'incl' : 'excl';
	}

	public function get_totals() {
		return array(
			'subtotal'            => $this->get_subtotal(),
			'subtotal_tax'        => $this->get_subtotal_tax(),
			'shipping_total'      => $this->get_shipping_total(),
			'shipping_tax'        => $this->get_shipping_tax(),
			'discount_total'      => $this->get_discount_total(),
			'discount_tax'        => $this->get_discount_tax(),
			'cart_contents_total' => $this->get_subtotal(),
			'fee_total'           => $this->get_fee_total(),
			'fee_tax'             => $this->get_fee_tax(),
			'total'               => $this->get_total( 'edit' ),
			'total_tax'           => $this->get_total_tax(),
		);
	}

	public function get_subtotal() {
		return array_sum( array_column( $this->cart_contents, 'line_subtotal' ) );
	}

	public function get_subtotal_tax() {
		return array_sum( array_column( $this->cart_contents, 'line_subtotal_tax' ) );
	}

	public function get_total( $context = 'view' ) {
		return $this->totals['total'] ?? $this->get_subtotal() + $this->get_subtotal_tax() - $this->get_discount_total() - $this->get_discount_tax() + $this->get_shipping_total() + $this->get_shipping_tax() + $this->get_fee_total() + $this->get_fee_tax();
	}

	public function get_total_tax() {
		return $this->totals['total_tax'] ?? $this->get_subtotal_tax() - $this->get_discount_tax() + $this->get_shipping_tax() + $this->get_fee_tax();
	}

	public function __call( $name, $given ) {
		return $this->totals[ substr( $name, 4 ) ] ?? 0;
	}
}
