<?php
/**
 * Links that bring a shopper back: signed, ending, and none without a good key.
 */

use ConnectorCarts\Link;
use ConnectorCarts\Tests\TestCase;
use ConnectorCarts\Tests\World;

class LinkTest extends TestCase {

	const TOKEN = '0123456789abcdef0123456789abcdef';

	private function text_of( string $url ): string {
		parse_str( (string) parse_url( $url, PHP_URL_QUERY ), $query );
		return $query['connector_cart'];
	}

	public function test_a_link_names_its_cart(): void {
		$url = Link::url( self::TOKEN );
		$this->assertMatchesRegularExpression( '#\Ahttps://shop\.example/\?connector_cart=' . self::TOKEN . '\.\d{10}\.[0-9a-f]{64}\z#', $url );
		$this->assertSame( self::TOKEN, Link::token_of( $this->text_of( $url ) ) );
	}

	public function test_a_link_holds_thirty_days_and_ends_with_the_next(): void {
		$text        = $this->text_of( Link::url( self::TOKEN ) );
		World::$now += 30 * DAY_IN_SECONDS;
		$this->assertSame( self::TOKEN, Link::token_of( $text ) );
		$this->assertFalse( Link::has_ended( $text ) );
		World::$now += DAY_IN_SECONDS;
		$this->assertNull( Link::token_of( $text ) );
		$this->assertTrue( Link::has_ended( $text ) );
	}

	public function test_a_cart_has_the_same_link_all_day_and_a_later_one_tomorrow(): void {
		$first       = Link::url( self::TOKEN );
		World::$now += 3600;
		$this->assertSame( $first, Link::url( self::TOKEN ) );
		World::$now += DAY_IN_SECONDS;
		$this->assertNotSame( $first, Link::url( self::TOKEN ) );
	}

	/**
	 * @group SEC-210
	 * @group C33
	 */
	public function test_no_bit_of_a_link_can_be_flipped(): void {
		$text = $this->text_of( Link::url( self::TOKEN ) );
		for ( $at = 0; $at < strlen( $text ); $at++ ) {
			for ( $bit = 0; $bit < 8; $bit++ ) {
				$changed        = $text;
				$changed[ $at ] = chr( ord( $text[ $at ] ) ^ ( 1 << $bit ) );
				$this->assertNull( Link::token_of( $changed ), "byte $at, bit $bit" );
				$this->assertFalse( Link::has_ended( $changed ) );
			}
		}
	}

	/**
	 * @group SEC-210
	 * @dataProvider forgeries
	 */
	public function test_cut_and_unsigned_links_are_refused( callable $forge ): void {
		$text = $this->text_of( Link::url( self::TOKEN ) );
		$this->assertNull( Link::token_of( $forge( $text, explode( '.', $text ) ) ) );
	}

	public static function forgeries(): array {
		return array(
			'no signature'           => array( static fn( $text, $parts ) => "$parts[0].$parts[1]" ),
			'empty signature'        => array( static fn( $text, $parts ) => "$parts[0].$parts[1]." ),
			'half the signature'     => array( static fn( $text, $parts ) => substr( $text, 0, -32 ) ),
			'token alone'            => array( static fn( $text, $parts ) => $parts[0] ),
			'empty'                  => array( static fn() => '' ),
			'a line break behind'    => array( static fn( $text ) => "$text\n" ),
			'upper case'             => array( static fn( $text ) => strtoupper( $text ) ),
			'another cart, same sign' => array( static fn( $text, $parts ) => str_repeat( 'a', 32 ) . ".$parts[1].$parts[2]" ),
			'a later end, same sign' => array( static fn( $text, $parts ) => $parts[0] . '.' . ( $parts[1] + 1 ) . ".$parts[2]" ),
			'signed with a guess'    => array( static fn( $text, $parts ) => "$parts[0].$parts[1]." . hash_hmac( 'sha256', "connector-carts restore $parts[0].$parts[1]", '' ) ),
			'moved point'            => array( static fn( $text, $parts ) => substr( $parts[0], 0, 31 ) . '.' . $parts[0][31] . "$parts[1].$parts[2]" ),
		);
	}

	/**
	 * @group SEC-211
	 * @dataProvider bad_keys
	 */
	public function test_without_a_good_key_no_link_is_made_or_taken( $key ): void {
		$text = $this->text_of( Link::url( self::TOKEN ) );
		if ( null === $key ) {
			delete_option( Link::KEY );
		} else {
			update_option( Link::KEY, $key );
			$expiry = World::$now + 1000;
			$text   = self::TOKEN . ".$expiry." . hash_hmac( 'sha256', 'connector-carts restore ' . self::TOKEN . ".$expiry", is_string( $key ) && ctype_xdigit( $key ) && 0 === strlen( $key ) % 2 ? hex2bin( $key ) : (string) $key );
		}
		$this->assertSame( '', Link::url( self::TOKEN ) );
		$this->assertNull( Link::token_of( $text ) );
	}

	public static function bad_keys(): array {
		return array(
			'none'       => array( null ),
			'empty'      => array( '' ),
			'short'      => array( 'abcdef0123456789' ),
			'one byte short' => array( substr( hash( 'sha256', 'a' ), 2 ) ),
			'zeros'      => array( str_repeat( '0', 64 ) ),
			'a pattern'  => array( str_repeat( 'deadbeef', 8 ) ),
			'words'      => array( str_pad( 'change me', 64, 'x' ) ),
			'a number'   => array( 7 ),
		);
	}

	/**
	 * @group SEC-211
	 */
	public function test_activation_makes_a_key_of_its_own_and_keeps_a_good_one(): void {
		$first = get_option( Link::KEY );
		$this->assertMatchesRegularExpression( '/\A[0-9a-f]{64}\z/', $first );
		do_action( 'activate_connector' );
		$this->assertSame( $first, get_option( Link::KEY ) );
		update_option( Link::KEY, '' );
		do_action( 'activate_connector' );
		$this->assertNotSame( $first, get_option( Link::KEY ) );
		$this->assertSame( 64, strlen( get_option( Link::KEY ) ) );
	}

	/**
	 * @group SEC-213
	 */
	public function test_only_random_names_of_128_bits_get_a_link(): void {
		foreach ( array( '', '7', 'shopper@example.com', md5( 'shopper@example.com' ) . 'a', strtoupper( self::TOKEN ) ) as $name ) {
			$this->assertSame( '', Link::url( $name ) );
		}
	}
}
