<?php
/**
 * The plugin's one table.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Keeps one row for each cart whose shopper can be reached.
 *
 * A row is an array with the keys of `EMPTY_ROW`. Its times are UTC, written `2026-11-22 10:00:00`; `cart` holds
 * lines, coupons, fees, shipping and totals (see Cart_Reader); `consents` is a list, one entry for each channel.
 */
final class Cart_Store {

	/**
	 * The shape of the table; a higher number makes it anew.
	 */
	const SHAPE = '1';

	/**
	 * What an order made of the cart, or what the shopper asked for, is not undone by later clicks.
	 */
	const FINAL_STATUSES = array( 'placed', 'ordered', 'forgotten' );

	/**
	 * Every key of a row, and what it is when nothing is known.
	 */
	const EMPTY_ROW = array(
		'token'      => '',
		'seq'        => 0,
		'status'     => 'open',
		'stage'      => 'cart',
		'user_id'    => 0,
		'email'      => '',
		'phone'      => '',
		'first_name' => '',
		'last_name'  => '',
		'company'    => '',
		'country'    => '',
		'consents'   => array(),
		'currency'   => '',
		'locale'     => '',
		'cart'       => array(),
		'order_id'   => 0,
		'created_at' => '',
		'updated_at' => '',
		'hash'       => '',
	);

	/**
	 * What the columns of text can hold, in characters.
	 */
	const WIDTHS = array(
		'email'      => 254,
		'phone'      => 60,
		'first_name' => 100,
		'last_name'  => 100,
		'company'    => 190,
		'country'    => 2,
		'currency'   => 10,
		'locale'     => 20,
	);

	/**
	 * Binds the making of the table, for sites where the plugin was not switched on by hand.
	 */
	public static function register(): void {
		add_action( 'init', array( self::class, 'install_if_missing' ), 5 );
	}

	/**
	 * Makes the table unless this shape of it was made before.
	 */
	public static function install_if_missing(): void {
		if ( self::SHAPE !== (string) get_option( 'connector_carts_shape', '' ) ) {
			self::install();
		}
	}

	/**
	 * Makes the table, or brings an older one to the present shape.
	 */
	public static function install(): void {
		global $wpdb;
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		$table   = self::table();
		$collate = $wpdb->get_charset_collate();
		dbDelta(
			"CREATE TABLE {$table} (
token varchar(32) NOT NULL,
seq bigint(20) unsigned NOT NULL DEFAULT 0,
status varchar(10) NOT NULL DEFAULT 'open',
stage varchar(10) NOT NULL DEFAULT 'cart',
user_id bigint(20) unsigned NOT NULL DEFAULT 0,
email varchar(254) NOT NULL DEFAULT '',
phone varchar(60) NOT NULL DEFAULT '',
first_name varchar(100) NOT NULL DEFAULT '',
last_name varchar(100) NOT NULL DEFAULT '',
company varchar(190) NOT NULL DEFAULT '',
country varchar(2) NOT NULL DEFAULT '',
consents longtext NOT NULL,
currency varchar(10) NOT NULL DEFAULT '',
locale varchar(20) NOT NULL DEFAULT '',
cart longtext NOT NULL,
order_id bigint(20) unsigned NOT NULL DEFAULT 0,
created_at datetime NOT NULL,
updated_at datetime NOT NULL,
hash varchar(40) NOT NULL DEFAULT '',
PRIMARY KEY  (token),
KEY changed (updated_at,token),
KEY person (user_id,status),
KEY address (email(100),status)
) {$collate};"
		);
		update_option( 'connector_carts_shape', self::SHAPE, true );
	}

	/**
	 * The table's name on this site.
	 */
	public static function table(): string {
		global $wpdb;
		return $wpdb->prefix . 'connector_carts';
	}

	/**
	 * The cart of that name, or null.
	 *
	 * @param string $token 32 lower-case hex digits.
	 */
	public static function get( string $token ): ?array {
		$rows = self::is_token( $token ) ? self::rows( 'token = %s', array( $token ), 'updated_at ASC, token ASC' ) : array();
		return $rows ? $rows[0] : null;
	}

	/**
	 * Whether a text has the form of a cart's name.
	 *
	 * @param string $text Anything.
	 */
	public static function is_token( string $text ): bool {
		return 1 === preg_match( '/\A[0-9a-f]{32}\z/', $text );
	}

	/**
	 * Writes a row and gives back what stands in the table afterwards.
	 *
	 * The number `seq` grows by one and `updated_at` never goes back. A row is only written over the state it was read
	 * in; if another request was faster, the write is tried again over the newer state, unless that one is final. Where
	 * the database refuses altogether the answer's status is `lost`.
	 *
	 * @param array $row A row; `seq` as it was read, 0 for a new one.
	 */
	public static function save( array $row ): array {
		global $wpdb;
		$row = array_merge( self::EMPTY_ROW, $row );
		for ( $try = 0; $try < 5; $try++ ) {
			$next = self::next_of( $row );
			if ( 0 === $row['seq'] ) {
				$quiet = $wpdb->suppress_errors( true );
				$done  = $wpdb->insert( self::table(), self::columns( $next ) );
				$wpdb->suppress_errors( $quiet );
			} else {
				$done = $wpdb->update(
					self::table(),
					self::columns( $next ),
					array(
						'token' => $row['token'],
						'seq'   => $row['seq'],
					)
				);
			}
			if ( $done ) {
				return $next;
			}
			$now = self::get( $row['token'] );
			if ( null === $now || ! self::may_become( $now['status'], $row['status'] ) ) {
				break;
			}
			$row['seq']        = $now['seq'];
			$row['created_at'] = $now['created_at'];
			$row['updated_at'] = $now['updated_at'];
		}
		return self::get( $row['token'] ) ?? array_merge( self::EMPTY_ROW, array( 'status' => 'lost' ) );
	}

	/**
	 * Whether a cart in one status may be written over with another.
	 *
	 * @param string $from What it is.
	 * @param string $to   What it would become.
	 */
	public static function may_become( string $from, string $to ): bool {
		if ( 'forgotten' === $from || ! in_array( $from, self::FINAL_STATUSES, true ) ) {
			return 'forgotten' !== $from;
		}
		return 'forgotten' === $to || ( 'placed' === $from && 'ordered' === $to );
	}

	/**
	 * Empties a cart of everything personal, and lets the connector know.
	 *
	 * @param string $token The cart's name; unknown ones are left alone.
	 */
	public static function forget( string $token ): void {
		$row = self::get( $token );
		if ( null === $row || 'forgotten' === $row['status'] ) {
			return;
		}
		$kept           = array_intersect_key( $row, array_flip( array( 'token', 'seq', 'created_at', 'updated_at' ) ) );
		$kept['status'] = 'forgotten';
		$saved          = self::save( $kept );
		if ( 'forgotten' === $saved['status'] ) {
			Webhook::announce( $saved );
		}
	}

	/**
	 * Open carts of a registered customer, newest first.
	 *
	 * @param int $id The WordPress user; 0 has none.
	 */
	public static function open_of_user( int $id ): array {
		return $id > 0 ? self::rows( 'user_id = %d AND status = %s', array( $id, 'open' ), 'updated_at DESC, token ASC' ) : array();
	}

	/**
	 * Open carts under an e-mail address, newest first.
	 *
	 * @param string $email In any case; "" has none.
	 */
	public static function open_of_email( string $email ): array {
		$email = self::address( $email );
		return '' !== $email ? self::rows( 'email = %s AND status = %s', array( $email, 'open' ), 'updated_at DESC, token ASC' ) : array();
	}

	/**
	 * All carts of a registered customer, newest first.
	 *
	 * @param int $id The WordPress user; 0 has none.
	 */
	public static function of_user( int $id ): array {
		return $id > 0 ? self::rows( 'user_id = %d', array( $id ), 'updated_at DESC, token ASC' ) : array();
	}

	/**
	 * All carts under an e-mail address, newest first.
	 *
	 * @param string $email In any case; "" has none.
	 */
	public static function of_email( string $email ): array {
		$email = self::address( $email );
		return '' !== $email ? self::rows( 'email = %s', array( $email ), 'updated_at DESC, token ASC' ) : array();
	}

	/**
	 * One page of the carts that changed at or after an instant, oldest change first.
	 *
	 * @param string $utc      `2026-11-22 10:00:00`.
	 * @param int    $page     From 1.
	 * @param int    $per_page At least 1.
	 */
	public static function changed_since( string $utc, int $page, int $per_page ): array {
		$bounds = array( $utc, $per_page, ( $page - 1 ) * $per_page );
		return self::rows( 'updated_at >= %s', $bounds, 'updated_at ASC, token ASC LIMIT %d OFFSET %d' );
	}

	/**
	 * How many carts changed at or after an instant.
	 *
	 * @param string $utc `2026-11-22 10:00:00`.
	 */
	public static function count_since( string $utc ): int {
		global $wpdb;
		$table = self::table();
		return (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM {$table} WHERE updated_at >= %s", $utc ) );
	}

	/**
	 * How many carts are open.
	 */
	public static function open_count(): int {
		global $wpdb;
		$table = self::table();
		return (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM {$table} WHERE status = %s", 'open' ) );
	}

	/**
	 * Deletes carts that nothing changed for so many days; says how many.
	 *
	 * @param int $days At least 1.
	 */
	public static function delete_older_than( int $days ): int {
		global $wpdb;
		$table  = self::table();
		$before = gmdate( 'Y-m-d H:i:s', time() - max( 1, $days ) * DAY_IN_SECONDS );
		return (int) $wpdb->query( $wpdb->prepare( "DELETE FROM {$table} WHERE updated_at < %s", $before ) );
	}

	/**
	 * An e-mail address as carts are looked up by it.
	 *
	 * @param string $email Anything.
	 */
	public static function address( string $email ): string {
		return strtolower( trim( $email ) );
	}

	/**
	 * The rows that fit, with every value in its own type.
	 *
	 * @param string $condition With placeholders.
	 * @param array  $values    For the placeholders, in order.
	 * @param string $order     How they are sorted; may go on with a limit.
	 */
	private static function rows( string $condition, array $values, string $order ): array {
		global $wpdb;
		$table = self::table();
		$found = $wpdb->get_results( $wpdb->prepare( "SELECT * FROM {$table} WHERE {$condition} ORDER BY {$order}", ...$values ), ARRAY_A );
		return array_map( array( self::class, 'typed' ), is_array( $found ) ? $found : array() );
	}

	/**
	 * A row of the table as the rest of the plugin knows it.
	 *
	 * @param array $found Texts, as the database gives them.
	 */
	private static function typed( array $found ): array {
		$row = array_merge( self::EMPTY_ROW, array_intersect_key( $found, self::EMPTY_ROW ) );
		foreach ( array( 'seq', 'user_id', 'order_id' ) as $number ) {
			$row[ $number ] = (int) $row[ $number ];
		}
		foreach ( array( 'consents', 'cart' ) as $packed ) {
			$value          = json_decode( (string) $row[ $packed ], true );
			$row[ $packed ] = is_array( $value ) ? $value : array();
		}
		return $row;
	}

	/**
	 * The row as it will stand after the next write.
	 *
	 * @param array $row As it was read.
	 */
	private static function next_of( array $row ): array {
		$now               = gmdate( 'Y-m-d H:i:s' );
		$row['seq']        = $row['seq'] + 1;
		$row['created_at'] = '' !== $row['created_at'] ? $row['created_at'] : $now;
		$row['updated_at'] = max( $now, $row['updated_at'] );
		$row['email']      = self::address( $row['email'] );
		foreach ( self::WIDTHS as $key => $width ) {
			$row[ $key ] = function_exists( 'mb_substr' ) ? mb_substr( (string) $row[ $key ], 0, $width ) : substr( (string) $row[ $key ], 0, $width );
		}
		return $row;
	}

	/**
	 * A row as the table holds it.
	 *
	 * @param array $row With the keys of EMPTY_ROW.
	 */
	private static function columns( array $row ): array {
		$columns             = array_intersect_key( $row, self::EMPTY_ROW );
		$columns['consents'] = wp_json_encode( $row['consents'] );
		$columns['cart']     = wp_json_encode( $row['cart'] );
		return $columns;
	}
}
