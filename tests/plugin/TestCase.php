<?php
/**
 * A fresh world before each test, with the plugin installed and activated.
 */

namespace ConnectorCarts\Tests;

use ConnectorCarts\Link;

abstract class TestCase extends \PHPUnit\Framework\TestCase {

	/** A fresh shop on which the plugin was activated. */
	protected function setUp(): void {
		World::reset();
		do_action( 'activate_connector' );
		do_action( 'plugins_loaded' );
		do_action( 'init' );
		do_action( 'woocommerce_init' );
		World::$traces = array();
	}

	/** End the request as WordPress does; everything at its priority. */
	protected function end_of_request(): void {
		do_action( 'shutdown' );
	}

	/** Run something that ends the request and answer how it ended. */
	protected function leaving( callable $something ): Left {
		try {
			$something();
		} catch ( Left $left ) {
			return $left;
		}
		$this->fail( 'The request went on.' );
	}

	/** Follow a restore link as a visitor would, in a session of their own. */
	protected function follow( string $token, array $more = array() ): Left {
		parse_str( (string) parse_url( Link::url( $token ), PHP_URL_QUERY ), $_GET );
		$_GET += $more;
		return $this->leaving(
			static function () {
				do_action( 'wp_loaded' );
			}
		);
	}
}
