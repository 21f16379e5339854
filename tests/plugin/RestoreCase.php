<?php
/**
 * A small shop, carts saved in it, and visitors who come back from another device.
 */

namespace ConnectorCarts\Tests;

use ConnectorCarts\Cart_Reader;
use ConnectorCarts\Cart_Store;

abstract class RestoreCase extends TestCase {

	protected function setUp(): void {
		parent::setUp();
		World::product( 36, array( 'name' => 'Mug', 'price' => '12.00' ) );
		World::product( 40, array( 'name' => 'Tea', 'price' => '4.50' ) );
		World::product( 50, array( 'name' => 'T-shirt', 'type' => 'variable' ) );
		World::product( 51, array( 'name' => 'T-shirt – Blue', 'price' => '20.00', 'parent_id' => 50 ) );
	}

	/** Keep what is in the cart under a new name, then go to another device: a session without cookie, an empty cart. */
	protected function saved( array $more = array() ): string {
		$row = Cart_Store::save(
			$more + array(
				'token'      => bin2hex( random_bytes( 16 ) ),
				'email'      => 'anna@example.com',
				'phone'      => '+33612345678',
				'first_name' => 'Anna',
				'last_name'  => 'Dupont',
				'currency'   => 'EUR',
				'locale'     => 'fr_FR',
				'cart'       => Cart_Reader::read( WC()->cart ),
			)
		);
		$this->new_device();
		return $row['token'];
	}

	protected function new_device(): void {
		World::$shop    = new \WooCommerce();
		World::$notices = array();
	}

	/** Product, variation and pieces of each line of the visitor's cart. */
	protected function cart(): array {
		return array_values( array_map( static fn( $item ) => array( $item['product_id'], $item['variation_id'], $item['quantity'] ), WC()->cart->get_cart() ) );
	}
}
