<?php
/**
 * WooCommerce functions that the plugin calls.
 */

use ConnectorCarts\Tests\World;

class WooCommerce {

	/** @var string */
	public $version = '10.5.0';
	/** @var WC_Cart */
	public $cart;
	/** @var WC_Session */
	public $session;
	/** @var WC_Customer */
	public $customer;

	public function __construct() {
		$this->session  = new WC_Session();
		$this->customer = new WC_Customer();
		$this->cart     = new WC_Cart();
	}

	public function shipping() {
		return new class() {
			public function get_packages() {
				return World::$facts['packages'] ?? array();
			}
		};
	}

	public function is_rest_api_request() {
		return ! empty( World::$facts['rest'] );
	}

	public function is_store_api_request() {
		return ! empty( World::$facts['store_api'] );
	}
}

define( 'WC_VERSION', '10.5.0' );

function WC() {
	return World::$shop;
}

function wc_load_cart() {
	World::trace( 'wc_load_cart' );
}

function wc_add_notice( $message, $type = 'success', $data = array() ) {
	World::$notices[] = array(
		'type'   => $type,
		'notice' => $message,
	);
}

function wc_get_notices( $type = '' ) {
	$all = array();
	foreach ( World::$notices as $notice ) {
		$all[ $notice['type'] ][] = $notice;
	}
	return '' === $type ? $all : ( $all[ $type ] ?? array() );
}

function wc_set_notices( $notices ) {
	World::$notices = array();
	foreach ( $notices as $type => $some ) {
		foreach ( $some as $notice ) {
			wc_add_notice( $notice['notice'], $type );
		}
	}
}

function wc_clear_notices() {
	World::$notices = array();
}

function wc_notice_count( $type = '' ) {
	return count( '' === $type ? World::$notices : wc_get_notices( $type ) );
}

function wc_print_notices( $return = false ) {
	$html = implode( '', array_map( static fn( $notice ) => '<div class="woocommerce-' . $notice['type'] . '">' . $notice['notice'] . '</div>', World::$notices ) );
	wc_clear_notices();
	return $html;
}

function wc_get_cart_url() {
	return home_url( '/cart/' );
}

function wc_get_checkout_url() {
	return home_url( '/checkout/' );
}

function wc_get_endpoint_url( $endpoint, $value = '', $permalink = '' ) {
	return untrailingslashit( $permalink ) . '/' . $endpoint . '/' . ( '' === (string) $value ? '' : $value . '/' );
}

function wc_get_page_id( $page ) {
	return array(
		'cart'     => 7,
		'checkout' => 8,
	)[ $page ] ?? -1;
}

function wc_get_page_permalink( $page ) {
	return home_url( "/$page/" );
}

function is_checkout() {
	return ! empty( World::$facts['is_checkout'] );
}

function is_cart() {
	return ! empty( World::$facts['is_cart'] );
}

function is_wc_endpoint_url( $endpoint = false ) {
	return ! empty( World::$facts['endpoint'] ) && ( false === $endpoint || World::$facts['endpoint'] === $endpoint );
}

function is_order_received_page() {
	return is_wc_endpoint_url( 'order-received' );
}

function has_block( $name, $post = null ) {
	return 'block' === World::$facts['checkout'];
}

function get_woocommerce_currency() {
	return apply_filters( 'woocommerce_currency', World::$facts['currency'] );
}

function wc_get_price_decimals() {
	return World::$facts['decimals'];
}

function wc_prices_include_tax() {
	return World::$facts['prices_include_tax'];
}

function wc_tax_enabled() {
	return true;
}

function wc_price( $amount, $about = array() ) {
	return '<span class="amount">' . number_format( (float) $amount, wc_get_price_decimals() ) . '&nbsp;' . ( $about['currency'] ?? get_woocommerce_currency() ) . '</span>';
}

function wc_format_decimal( $number, $places = false, $trim = false ) {
	$places = '' === $places || true === $places ? wc_get_price_decimals() : $places;
	return false === $places ? (string) $number : number_format( (float) $number, $places, '.', '' );
}

function wc_get_price_to_display( $product, $about = array() ) {
	return (float) ( $about['price'] ?? $product->get_price() ) * ( $about['qty'] ?? 1 );
}

function wc_stock_amount( $amount ) {
	return (int) $amount;
}

function wc_format_coupon_code( $code ) {
	return strtolower( trim( html_entity_decode( (string) $code ) ) );
}

function wc_is_same_coupon( $one, $other ) {
	return wc_format_coupon_code( $one ) === wc_format_coupon_code( $other );
}

function wc_clean( $value ) {
	return is_array( $value ) ? array_map( 'wc_clean', $value ) : sanitize_text_field( $value );
}

function wc_strtolower( $text ) {
	return mb_strtolower( $text );
}

function wc_string_to_bool( $text ) {
	return in_array( is_string( $text ) ? strtolower( $text ) : $text, array( true, 'yes', 'true', '1', 1 ), true );
}

function wc_bool_to_string( $flag ) {
	return wc_string_to_bool( $flag ) ? 'yes' : 'no';
}

function wc_sanitize_phone_number( $phone ) {
	return preg_replace( '/[^\d+]/', '', (string) $phone );
}

function wc_get_base_location() {
	return array(
		'country' => 'FR',
		'state'   => '',
	);
}

function wc_get_logger() {
	return new class() {
		public function __call( $level, $given ) {
			World::trace( 'log', $level, ...$given );
		}
	};
}

function wc_placeholder_img_src( $size = '' ) {
	return 'https://shop.example/placeholder.png';
}

function wc_help_tip( $text ) {
	return '<span class="woocommerce-help-tip">' . esc_html( $text ) . '</span>';
}

function wc_array_filter_default_attributes( $value ) {
	return ! empty( $value ) || '0' === $value;
}

function woocommerce_form_field( $key, $about, $value = null ) {
	World::trace( 'woocommerce_form_field', $key, $about, $value );
	echo '<label><input type="' . esc_attr( $about['type'] ) . '" name="' . esc_attr( $key ) . '" value="1"' . checked( (bool) $value, true, false ) . ' /> ' . wp_kses_post( $about['label'] ) . '</label>';
}

function woocommerce_register_additional_checkout_field( $about ) {
	World::trace( 'woocommerce_register_additional_checkout_field', $about );
}
