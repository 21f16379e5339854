<?php
/**
 * Products, coupons, orders and webhooks of the pretend shop.
 */

use ConnectorCarts\Tests\World;

/** Getters and setters for whatever the test says of a thing. */
class WC_Data {

	/** @var int */
	protected $id;
	/** @var array<string, mixed> */
	protected $about;
	/** @var array<string, mixed> */
	protected $meta = array();
	/** @var int How often it was saved. */
	public $saves = 0;

	public function __construct( $id = 0, array $about = array() ) {
		$this->id    = $id;
		$this->meta  = $about['meta'] ?? array();
		$this->about = $about + static::usual();
	}

	protected static function usual(): array {
		return array();
	}

	public function get_id() {
		return $this->id;
	}

	public function __call( $name, $given ) {
		$key = substr( $name, 4 );
		if ( 0 === strpos( $name, 'set_' ) ) {
			$this->about[ $key ] = $given[0];
			return null;
		}
		if ( 0 === strpos( $name, 'get_' ) && array_key_exists( $key, $this->about ) ) {
			return $this->about[ $key ];
		}
		if ( 0 === strpos( $name, 'is_' ) && array_key_exists( $name, $this->about ) ) {
			return $this->about[ $name ];
		}
		throw new LogicException( get_class( $this ) . " has no $name here" );
	}

	public function get_meta( $key = '', $single = true, $context = 'view' ) {
		return $this->meta[ $key ] ?? '';
	}

	public function update_meta_data( $key, $value, $id = 0 ) {
		$this->meta[ $key ] = $value;
	}

	public function add_meta_data( $key, $value, $unique = false ) {
		$this->meta[ $key ] = $value;
	}

	public function delete_meta_data( $key ) {
		unset( $this->meta[ $key ] );
	}

	public function meta_exists( $key = '' ) {
		return array_key_exists( $key, $this->meta );
	}

	public function save() {
		++$this->saves;
		return $this->id;
	}

	public function save_meta_data() {
		++$this->saves;
	}
}

class WC_Product extends WC_Data {

	protected static function usual(): array {
		return array(
			'name'                 => 'Product',
			'price'                => '10.00',
			'sku'                  => '',
			'status'               => 'publish',
			'type'                 => 'simple',
			'parent_id'            => 0,
			'image_id'             => 0,
			'stock_quantity'       => null,
			'stock_status'         => 'instock',
			'variation_attributes' => array(),
			'is_purchasable'       => true,
			'is_sold_individually' => false,
			'tax_class'            => '',
		);
	}

	public function is_in_stock() {
		return 'outofstock' !== $this->about['stock_status'];
	}

	public function managing_stock() {
		return null !== $this->about['stock_quantity'];
	}

	public function get_manage_stock() {
		return $this->managing_stock();
	}

	public function backorders_allowed() {
		return 'onbackorder' === $this->about['stock_status'];
	}

	public function has_enough_stock( $quantity ) {
		return ! $this->managing_stock() || $this->backorders_allowed() || $this->about['stock_quantity'] >= $quantity;
	}

	public function get_stock_managed_by_id() {
		return $this->id;
	}

	public function get_max_purchase_quantity() {
		return $this->is_sold_individually() ? 1 : ( $this->backorders_allowed() || ! $this->managing_stock() ? -1 : $this->about['stock_quantity'] );
	}

	public function exists() {
		return true;
	}

	public function is_type( $type ) {
		return in_array( $this->about['type'], (array) $type, true );
	}

	public function is_virtual() {
		return false;
	}

	public function get_permalink( $item = null ) {
		return home_url( '/product/' . $this->id . '/' );
	}

	public function is_taxable() {
		return true;
	}
}

class WC_Product_Variation extends WC_Product {

	protected static function usual(): array {
		return array( 'type' => 'variation' ) + parent::usual();
	}
}

class WC_Coupon extends WC_Data {

	/** @var string */
	private $code;

	public function __construct( $code = '', array $about = array() ) {
		$this->code = strtolower( (string) $code );
		$known      = World::$coupons[ $this->code ] ?? null;
		parent::__construct( 1, $about + ( $known ? $known->about : array() ) + array( 'individual_use' => false ) );
	}

	public function get_code() {
		return $this->code;
	}
}

class WC_Order extends WC_Data {

	protected static function usual(): array {
		return array(
			'status'               => 'pending',
			'order_key'            => 'wc_order_secretkey',
			'billing_email'        => '',
			'billing_phone'        => '',
			'customer_id'          => 0,
			'user_id'              => 0,
			'date_paid'            => null,
			'date_created'         => null,
			'created_via'          => 'checkout',
			'total'                => '24.00',
			'items'                => array(),
			'parent_id'            => 0,
			'type'                 => 'shop_order',
			'cart_hash'            => '',
			'payment_method'       => '',
			'transaction_id'       => '',
		);
	}

	public function has_status( $status ) {
		return in_array( $this->about['status'], (array) $status, true );
	}

	public function needs_payment() {
		return $this->has_status( array( 'pending', 'failed' ) ) && (float) $this->about['total'] > 0;
	}

	public function is_paid() {
		return $this->has_status( array( 'processing', 'completed' ) );
	}

	public function get_checkout_payment_url() {
		return home_url( "/checkout/order-pay/{$this->id}/?pay_for_order=true&key={$this->about['order_key']}" );
	}

	public function get_checkout_order_received_url() {
		return home_url( "/checkout/order-received/{$this->id}/?key={$this->about['order_key']}" );
	}

	public function set_status( $status, $note = '' ) {
		$this->about['status'] = $status;
	}
}

class WC_Webhook extends WC_Data {

	protected static function usual(): array {
		return array(
			'name'          => 'Connector',
			'topic'         => 'action.wc_connector_cart',
			'status'        => 'active',
			'failure_count' => 0,
			'delivery_url'  => 'https://connector.example/webhooks/woocommerce/abc',
			'user_id'       => 1,
			'date_modified' => null,
		);
	}
}

function wc_get_product( $id = 0 ) {
	return $id instanceof WC_Product ? $id : ( World::$products[ (int) $id ] ?? false );
}

function wc_get_order( $id = 0 ) {
	return $id instanceof WC_Order ? $id : ( World::$orders[ (int) $id ] ?? false );
}

function wc_get_orders( $asked = array() ) {
	$found = array_filter(
		World::$orders,
		static fn( $order ) => ( ! isset( $asked['meta_key'] ) || $order->get_meta( $asked['meta_key'] ) === $asked['meta_value'] )
			&& ( ! isset( $asked['status'] ) || $order->has_status( $asked['status'] ) )
			&& ( ! isset( $asked['customer'] ) || in_array( $asked['customer'], array( $order->get_customer_id(), $order->get_billing_email() ), true ) )
	);
	return 'ids' === ( $asked['return'] ?? '' ) ? array_keys( $found ) : array_values( $found );
}

function wc_get_webhook( $id ) {
	return $id instanceof WC_Webhook ? $id : ( World::$webhooks[ (int) $id ] ?? null );
}

class WC_Data_Store {

	public static function load( $kind ) {
		return new self();
	}

	public function search_webhooks( $asked ) {
		return array_keys( array_filter( World::$webhooks, static fn( $webhook ) => ! isset( $asked['status'] ) || '' === $asked['status'] || $webhook->get_status() === $asked['status'] ) );
	}

	public function get_webhooks_ids( $status = '' ) {
		return $this->search_webhooks( array( 'status' => $status ) );
	}
}
