<?php
/**
 * Plugin Name: Connector Carts
 * Description: Tells your Connector account about started carts, with the consent of your shoppers, and brings shoppers back to the cart they left.
 * Version: 1.0.0
 * Requires at least: 6.4
 * Requires PHP: 7.4
 * Requires Plugins: woocommerce
 * WC requires at least: 9.0
 * WC tested up to: 11.0
 * License: GPL-2.0-or-later
 * Text Domain: connector-carts
 * Domain Path: /languages
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

define( 'CONNECTOR_CARTS_VERSION', '1.0.0' );
define( 'CONNECTOR_CARTS_FILE', __FILE__ );

foreach ( array( 'guard', 'cart-store', 'visit', 'cart-reader', 'snapshot', 'contact', 'consent', 'boxes', 'capture', 'closing', 'webhook' ) as $connector_carts_part ) {
	require_once __DIR__ . '/includes/class-' . $connector_carts_part . '.php';
}
foreach ( array( 'link', 'restore', 'routes', 'settings', 'privacy', 'pruning', 'mailers' ) as $connector_carts_part ) {
	require_once __DIR__ . '/includes/class-' . $connector_carts_part . '.php';
}
unset( $connector_carts_part );

/**
 * Tells WooCommerce which of its newer parts this plugin works with.
 */
function declare_compatibility(): void {
	if ( ! class_exists( '\Automattic\WooCommerce\Utilities\FeaturesUtil' ) ) {
		return;
	}
	\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'custom_order_tables', __FILE__, true );
	\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'cart_checkout_blocks', __FILE__, true );
}

/**
 * Makes what the plugin needs: its table, the key that signs links, the address it was switched on at, the daily clean-up.
 */
function activate(): void {
	Cart_Store::install();
	Link::make_key();
	Settings::remember_home();
	Pruning::schedule();
}

/**
 * Stops the daily clean-up. Carts and settings stay until the plugin is deleted.
 */
function deactivate(): void {
	Pruning::unschedule();
}

register_activation_hook( __FILE__, __NAMESPACE__ . '\activate' );
register_deactivation_hook( __FILE__, __NAMESPACE__ . '\deactivate' );
add_action( 'before_woocommerce_init', __NAMESPACE__ . '\declare_compatibility' );

// At once, not on a later hook: WooCommerce binds webhooks early, and a filter that comes after that is not asked.
Cart_Store::register();
Consent::register();
Boxes::register();
Capture::register();
Closing::register();
Webhook::register();
Restore::register();
Routes::register();
Settings::register();
Privacy::register();
Pruning::register();
Mailers::register();
