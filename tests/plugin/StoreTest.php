<?php
/**
 * The plugin's table: what may follow what, races between requests, what a column can hold.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Tests\ShoppingCase;
use ConnectorCarts\Tests\World;

require_once __DIR__ . '/ShoppingCase.php';

class StoreTest extends ShoppingCase {

	const TOKEN = '0123456789abcdef0123456789abcdef';

	/** Keep a cart. */
	private function keep( array $about = array() ): array {
		return Cart_Store::save( $about + array( 'token' => self::TOKEN, 'email' => 'anna@example.com' ) );
	}

	/**
	 * @dataProvider moves
	 */
	public function test_what_may_follow_what( string $from, string $to, bool $may ): void {
		$this->assertSame( $may, Cart_Store::may_become( $from, $to ) );
	}

	public static function moves(): array {
		$allowed = array(
			'open'      => array( 'open', 'emptied', 'placed', 'ordered', 'forgotten' ),
			'emptied'   => array( 'open', 'emptied', 'placed', 'ordered', 'forgotten' ),
			'placed'    => array( 'ordered', 'forgotten' ),
			'ordered'   => array( 'forgotten' ),
			'forgotten' => array(),
		);
		$moves   = array();
		foreach ( $allowed as $from => $reached ) {
			foreach ( array_keys( $allowed ) as $to ) {
				$moves[ "$from to $to" ] = array( $from, $to, in_array( $to, $reached, true ) );
			}
		}
		return $moves;
	}

	public function test_two_requests_that_make_the_same_cart_make_one_and_keep_its_first_time(): void {
		$this->keep();
		World::$now += 60;
		$second      = $this->keep( array( 'first_name' => 'Anna' ) );
		$this->assertSame( array( 2, '2026-11-22 10:00:00', '2026-11-22 10:01:00', 1 ), array( $second['seq'], $second['created_at'], $second['updated_at'], $this->kept_count() ) );
		World::$now -= 3600;
		$third = $this->keep();
		$this->assertSame( array( 3, '2026-11-22 10:01:00' ), array( $third['seq'], $third['updated_at'] ) );
		$this->assertSame( '2026-11-22 10:01:00', Cart_Store::save( $third )['updated_at'] );
	}

	public function test_a_cart_that_was_forgotten_meanwhile_is_not_written_again(): void {
		$row = $this->keep();
		Cart_Store::forget( self::TOKEN );
		$this->assertSame( array( 'forgotten', '' ), array( Cart_Store::save( $row )['status'], Cart_Store::get( self::TOKEN )['email'] ) );
		$this->told = array();
		Cart_Store::forget( self::TOKEN );
		Cart_Store::forget( str_repeat( 'f', 32 ) );
		$this->assertSame( array( 2, array() ), array( Cart_Store::get( self::TOKEN )['seq'], $this->told ) );
	}

	public function test_a_database_that_refuses_says_so_and_nothing_is_told(): void {
		$GLOBALS['wpdb'] = new class() extends wpdb {
			public function insert( $table, $row, $format = null ) {
				return false;
			}
		};
		Cart_Store::install();
		$this->assertSame( 'lost', $this->keep()['status'] );
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 0, array() ), array( $this->kept_count(), $this->told ) );
	}

	public function test_long_texts_are_cut_to_their_columns_and_addresses_are_lower_case(): void {
		$row = $this->keep( array( 'first_name' => str_repeat( 'é', 300 ), 'phone' => str_repeat( '1', 90 ), 'email' => ' Anna@Example.COM ' ) );
		$this->assertSame( array( 100, 60, 'anna@example.com' ), array( mb_strlen( $row['first_name'] ), strlen( $row['phone'] ), $row['email'] ) );
		$this->assertEquals( $row, Cart_Store::get( self::TOKEN ) );
	}

	public function test_what_is_no_name_finds_nothing(): void {
		$this->keep();
		foreach ( array( '', strtoupper( self::TOKEN ), self::TOKEN . "\n", "' OR '1'='1", substr( self::TOKEN, 1 ) ) as $text ) {
			$this->assertNull( Cart_Store::get( $text ) );
		}
		$this->assertSame( array( array(), array(), array() ), array( Cart_Store::open_of_user( 0 ), Cart_Store::open_of_email( ' ' ), Cart_Store::of_user( 0 ) ) );
	}

	public function test_pages_of_changes_are_in_order_and_include_the_instant(): void {
		foreach ( array( 'c', 'a', 'b' ) as $letter ) {
			Cart_Store::save( array( 'token' => str_repeat( $letter, 32 ), 'email' => 'anna@example.com' ) );
		}
		World::$now += 1;
		Cart_Store::save( array( 'token' => str_repeat( 'd', 32 ), 'email' => 'anna@example.com', 'user_id' => 5 ) );
		$first = static fn( array $rows ) => implode( '', array_map( static fn( $row ) => $row['token'][0], $rows ) );
		$this->assertSame( 'abcd', $first( Cart_Store::changed_since( '2026-11-22 10:00:00', 1, 100 ) ) );
		$this->assertSame( 'cd', $first( Cart_Store::changed_since( '2026-11-22 10:00:00', 2, 2 ) ) );
		$this->assertSame( 'd', $first( Cart_Store::changed_since( '2026-11-22 10:00:01', 1, 100 ) ) );
		$this->assertSame( array( 4, 1, 4, 1 ), array( Cart_Store::count_since( '2026-11-22 10:00:00' ), Cart_Store::count_since( '2026-11-22 10:00:01' ), Cart_Store::open_count(), count( Cart_Store::of_user( 5 ) ) ) );
	}

	public function test_old_carts_are_deleted_and_younger_ones_not(): void {
		$this->keep();
		World::$now += 45 * DAY_IN_SECONDS;
		$this->assertSame( 0, Cart_Store::delete_older_than( 45 ) );
		World::$now += 1;
		$this->assertSame( array( 1, 0 ), array( Cart_Store::delete_older_than( 45 ), $this->kept_count() ) );
	}

	public function test_the_table_is_made_where_the_plugin_was_never_switched_on_by_hand(): void {
		$GLOBALS['wpdb'] = new wpdb();
		delete_option( 'connector_carts_shape' );
		do_action( 'init' );
		$this->assertSame( self::TOKEN, $this->keep()['token'] );
		$this->assertSame( Cart_Store::SHAPE, get_option( 'connector_carts_shape' ) );
	}
}
