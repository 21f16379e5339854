<?php
/**
 * Stand-ins of WordPress and WooCommerce, then the plugin itself: its hooks are registered as on a real site.
 */

use ConnectorCarts\Tests\World;

error_reporting( E_ALL );
set_error_handler(
	static function ( $level, $message, $file, $line ) {
		if ( error_reporting() & $level ) {
			throw new ErrorException( $message, 0, $level, $file, $line );
		}
		return false;
	}
);

foreach ( array( 'World', 'Left', 'Syntax', 'standins/SqlExpressions', 'standins/Sql', 'standins/hooks', 'standins/texts', 'standins/wordpress', 'standins/traced', 'standins/rest', 'standins/wpdb', 'standins/goods', 'standins/cart', 'standins/woocommerce', 'standins/features', 'TestCase', 'RestoreCase' ) as $part ) {
	require_once __DIR__ . "/$part.php";
}

World::reset();
require_once dirname( __DIR__, 2 ) . '/integrations/woocommerce/plugin/connector-carts.php';
World::$registered = World::$hooks;
