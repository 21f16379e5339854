<?php
/**
 * What the connector may ask this site.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/class-health.php';

/**
 * Three routes for what the one-shot webhooks lost. Their names begin with `wc-`, so WooCommerce's own REST keys open them.
 */
final class Routes {

	const BASE = 'wc-connector/v1';

	/**
	 * Binds the routes.
	 */
	public static function register(): void {
		add_action( 'rest_api_init', array( self::class, 'add' ) );
		Health::register();
	}

	/**
	 * Adds the routes.
	 */
	public static function add(): void {
		self::route( '/carts', 'carts', self::list_arguments() );
		self::route( '/carts/(?P<token>[0-9a-f]{32})', 'cart', array() );
		self::route( '/status', 'status', array() );
	}

	/**
	 * Whether the asker may see carts: as in WooCommerce's own API, whoever manages the store.
	 *
	 * @return true|\WP_Error
	 */
	public static function may_read() {
		if ( current_user_can( 'manage_woocommerce' ) ) {
			return true;
		}
		return new \WP_Error( 'woocommerce_rest_cannot_view', __( 'Sorry, you cannot view this resource.', 'connector-carts' ), array( 'status' => rest_authorization_required_code() ) );
	}

	/**
	 * The carts that changed at or after an instant, oldest change first. A copy of the store tells nothing.
	 *
	 * @param \WP_REST_Request $request With modified_after, page and per_page.
	 */
	public static function carts( $request ): \WP_REST_Response {
		$since    = (string) self::instant( $request['modified_after'] ?? '' );
		$per_page = (int) $request['per_page'];
		$moved    = Settings::moved();
		$rows     = $moved ? array() : Cart_Store::changed_since( $since, (int) $request['page'], $per_page );
		$total    = $moved ? 0 : Cart_Store::count_since( $since );
		$answer   = new \WP_REST_Response( array_map( array( Snapshot::class, 'of' ), $rows ) );
		$answer->header( 'X-WP-Total', (string) $total );
		$answer->header( 'X-WP-TotalPages', (string) (int) ceil( $total / $per_page ) );
		return self::uncached( $answer );
	}

	/**
	 * One cart.
	 *
	 * @param \WP_REST_Request $request With the token.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public static function cart( $request ) {
		$row = Settings::moved() ? null : Cart_Store::get( (string) $request['token'] );
		if ( null === $row ) {
			return new \WP_Error( 'connector_no_such_cart', __( 'There is no such cart.', 'connector-carts' ), array( 'status' => 404 ) );
		}
		return self::uncached( new \WP_REST_Response( Snapshot::of( $row ) ) );
	}

	/**
	 * How this site is: versions, the queue, the webhook, other senders.
	 */
	public static function status(): \WP_REST_Response {
		return self::uncached( new \WP_REST_Response( Health::read() ) );
	}

	/**
	 * Whether a text names an instant, for WordPress's check of parameters.
	 *
	 * @param mixed $value The parameter.
	 */
	public static function is_instant( $value ): bool {
		return null !== self::instant( $value );
	}

	/**
	 * `2026-11-22T10:00:00`, with or without Z or an offset, as the table writes it in UTC; null if it is none.
	 *
	 * @param mixed $value The parameter; "" is the beginning of all.
	 */
	private static function instant( $value ): ?string {
		if ( '' === $value || null === $value ) {
			return '1970-01-01 00:00:00';
		}
		// A plus sign that nobody encoded arrives as a space.
		$text = is_string( $value ) ? (string) preg_replace( '/ (\d\d:?\d\d)\z/', '+$1', $value ) : '';
		if ( 1 !== preg_match( '/\A(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?\z/', $text, $found ) ) {
			return null;
		}
		$at = date_create_immutable( $found[1] . ' ' . $found[2] . ( $found[4] ?? 'Z' ), new \DateTimeZone( 'UTC' ) );
		return $at && substr( $text, 0, 10 ) === $at->format( 'Y-m-d' ) ? $at->setTimezone( new \DateTimeZone( 'UTC' ) )->format( 'Y-m-d H:i:s' ) : null;
	}

	/**
	 * What the list takes.
	 */
	private static function list_arguments(): array {
		return array(
			'modified_after' => array(
				'type'              => 'string',
				'default'           => '',
				'validate_callback' => array( self::class, 'is_instant' ),
			),
			'page'           => array(
				'type'    => 'integer',
				'default' => 1,
				'minimum' => 1,
			),
			'per_page'       => array(
				'type'    => 'integer',
				'default' => 100,
				'minimum' => 1,
				'maximum' => 100,
			),
		);
	}

	/**
	 * Adds one route for reading.
	 *
	 * @param string $path      After the namespace.
	 * @param string $method    Of this class.
	 * @param array  $arguments What it takes.
	 */
	private static function route( string $path, string $method, array $arguments ): void {
		register_rest_route(
			self::BASE,
			$path,
			array(
				'methods'             => \WP_REST_Server::READABLE,
				'callback'            => array( self::class, $method ),
				'permission_callback' => array( self::class, 'may_read' ),
				'args'                => $arguments,
			)
		);
	}

	/**
	 * Keeps caches of hosts and proxies from answering in our place.
	 *
	 * @param \WP_REST_Response $answer The answer.
	 */
	private static function uncached( \WP_REST_Response $answer ): \WP_REST_Response {
		$answer->header( 'Cache-Control', 'no-store, private' );
		return $answer;
	}
}
