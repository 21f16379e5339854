<?php
/**
 * WooCommerce's own utility classes, and functions that the plugin's namespace sees before PHP's.
 */

// phpcs:disable

namespace Automattic\WooCommerce\Utilities {

	use ConnectorCarts\Tests\World;

	class OrderUtil {
		public static function custom_orders_table_usage_is_enabled() {
			return World::$facts['hpos'];
		}
	}

	class FeaturesUtil {
		public static function declare_compatibility( $feature, $file, $compatible = true ) {
			World::trace( 'declare_compatibility', $feature, $compatible );
			return true;
		}

		public static function feature_is_enabled( $feature ) {
			return ! empty( World::$facts['features'][ $feature ] );
		}
	}
}

namespace Automattic\WooCommerce\Blocks\Utils {

	use ConnectorCarts\Tests\World;

	class CartCheckoutUtils {
		public static function is_checkout_block_default() {
			return 'block' === World::$facts['checkout'];
		}
	}
}

namespace ConnectorCarts {

	use ConnectorCarts\Tests\World;

	function time() {
		return World::$now;
	}

	function gmdate( $format, $at = null ) {
		return \gmdate( $format, $at ?? World::$now );
	}

	function header( $line ) {
		World::trace( 'header', $line );
	}
}
