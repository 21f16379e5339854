<?php
/**
 * Everything outside the plugin that a test can set: options, people, products, orders, the clock; and what the plugin did to it.
 */

namespace ConnectorCarts\Tests;

class World {

	/** @var int The time that the plugin sees. */
	public static $now;
	/** @var array<string, array<int, array<int, array{0: callable, 1: int}>>> */
	public static $hooks = array();
	/** @var array<string, array<int, array<int, array{0: callable, 1: int}>>> Those that the plugin registered when it was loaded. */
	public static $registered = array();
	/** @var array<string, int> */
	public static $done = array();
	/** @var array<int, string> */
	public static $current = array();
	/** @var array<string, mixed> */
	public static $options = array();
	/** @var array<string, mixed> */
	public static $transients = array();
	/** @var array<int, \WP_User> */
	public static $users = array();
	/** @var int */
	public static $user = 0;
	/** @var array<int, \WC_Product> */
	public static $products = array();
	/** @var array<int, \WC_Order> */
	public static $orders = array();
	/** @var array<string, \WC_Coupon> */
	public static $coupons = array();
	/** @var array<int, \WC_Webhook> */
	public static $webhooks = array();
	/** @var array<int, array{type: string, notice: string}> */
	public static $notices = array();
	/** @var array<string, array<string, mixed>> */
	public static $routes = array();
	/** @var array<string, array{0: int, 1: string}> */
	public static $scheduled = array();
	/** @var array<string, mixed> Named answers: is_admin, locale, home, ssl, doing_ajax, currency, decimals, prices_include_tax, ... */
	public static $facts = array();
	/** @var array<string, mixed> What was called that only leaves a trace: scripts, settings fields, policy texts, additional checkout fields. */
	public static $traces = array();
	/** @var int The HTTP status that was set. */
	public static $status = 200;
	/** @var \WooCommerce */
	public static $shop;

	/** A fresh world at Sunday, 22 November 2026, 10:00 UTC, with the plugin's hooks as they were when it was loaded. */
	public static function reset(): void {
		self::$now        = 1795341600;
		self::$hooks      = self::$registered;
		self::$done       = array();
		self::$current    = array();
		self::$options    = array(
			'home'    => 'https://shop.example',
			'siteurl' => 'https://shop.example',
		);
		self::$transients = array();
		self::$users      = array();
		self::$user       = 0;
		self::$products   = array();
		self::$orders     = array();
		self::$coupons    = array();
		self::$webhooks   = array();
		self::$notices    = array();
		self::$routes     = array();
		self::$scheduled  = array();
		self::$traces     = array();
		self::$status     = 200;
		self::$facts      = array(
			'is_admin'           => false,
			'locale'             => 'fr_FR',
			'currency'           => 'EUR',
			'decimals'           => 2,
			'prices_include_tax' => true,
			'display_incl'       => true,
			'checkout'           => 'block',
			'hpos'               => true,
		);
		self::$shop       = new \WooCommerce();
		$GLOBALS['wpdb']  = new \wpdb();
		$GLOBALS['wp_query'] = new \WP_Query();
		$_GET             = array();
		$_POST            = array();
		$_REQUEST         = array();
		$_COOKIE          = array();
		$_SERVER          = array(
			'REQUEST_METHOD'  => 'GET',
			'REQUEST_URI'     => '/',
			'HTTP_USER_AGENT' => 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
		);
	}

	/** Note a call that has no other effect. */
	public static function trace( string $name, ...$arguments ): void {
		self::$traces[ $name ][] = $arguments;
	}

	/** Put a product on the shelf; keys are setter names without set_. */
	public static function product( int $id, array $about = array() ): \WC_Product {
		$about['parent_id']     = $about['parent_id'] ?? 0;
		$product                = $about['parent_id'] ? new \WC_Product_Variation( $id, $about ) : new \WC_Product( $id, $about );
		self::$products[ $id ] = $product;
		return $product;
	}

	/** Keep an order; keys as in WC_Order's getters. */
	public static function order( int $id, array $about = array() ): \WC_Order {
		$order               = new \WC_Order( $id, $about );
		self::$orders[ $id ] = $order;
		return $order;
	}

	/** Make a coupon that can be applied. */
	public static function coupon( string $code, array $about = array() ): \WC_Coupon {
		self::$coupons[ strtolower( $code ) ] = new \WC_Coupon( $code, $about );
		return self::$coupons[ strtolower( $code ) ];
	}

	/** A person with an account; log them in by World::$user. */
	public static function person( int $id, string $email = '', array $capabilities = array() ): \WP_User {
		self::$users[ $id ] = new \WP_User( $id, $email, $capabilities );
		return self::$users[ $id ];
	}

	/** The messages that the next page would show, of one kind or all. */
	public static function messages( string $type = '' ): array {
		$kept = array_filter( self::$notices, static fn( $notice ) => '' === $type || $notice['type'] === $type );
		return array_values( array_map( static fn( $notice ) => html_entity_decode( wp_strip_all_tags( $notice['notice'] ), ENT_QUOTES ), $kept ) );
	}
}
