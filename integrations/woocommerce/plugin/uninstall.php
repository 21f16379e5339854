<?php
/**
 * The plugin is deleted: so is everything it kept. The number of its cart stays on orders, as an order's own past.
 *
 * @package ConnectorCarts
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

global $wpdb;

foreach ( array( 'key', 'home', 'settings', 'shape', 'last_success', 'queue_ran', 'webhook_off' ) as $connector_carts_name ) {
	delete_option( 'connector_carts_' . $connector_carts_name );
}
$connector_carts_keys = array( '_connector_carts_consents', '_connector_carts_opt_out' );
foreach ( array( 'email-consent', 'sms-consent', 'no-thanks' ) as $connector_carts_name ) {
	$connector_carts_keys[] = '_wc_other/connector-carts/' . $connector_carts_name;
}
foreach ( $connector_carts_keys as $connector_carts_key ) {
	delete_metadata( 'user', 0, $connector_carts_key, '', true );
}
wp_clear_scheduled_hook( 'connector_carts_prune' );
$wpdb->query( "DROP TABLE IF EXISTS {$wpdb->prefix}connector_carts" );
