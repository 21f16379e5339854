<?php
/**
 * WooCommerce's own webhooks carry the carts.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Announces a changed cart by its name, and fills the webhook's body when it is sent: it always tells the latest state.
 */
final class Webhook {

	/**
	 * The topic the connector subscribes to, and the action behind it.
	 */
	const TOPIC  = 'action.wc_connector_cart';
	const ACTION = 'wc_connector_cart';

	/**
	 * When a delivery last arrived, as Unix time.
	 */
	const LAST_SUCCESS = 'connector_carts_last_success';

	/**
	 * Binds body, label and outcome of our deliveries.
	 */
	public static function register(): void {
		add_filter( 'woocommerce_webhook_payload', array( self::class, 'payload' ), 10, 4 );
		add_filter( 'woocommerce_webhook_topics', array( self::class, 'label' ) );
		add_filter( 'woocommerce_webhook_should_deliver', array( self::class, 'should_deliver' ), 10, 3 );
		add_action( 'woocommerce_webhook_delivery', array( self::class, 'delivered' ), 10, 5 );
	}

	/**
	 * Lets WooCommerce queue a delivery for a cart. Only its name goes into the queue, so that bursts become one.
	 *
	 * @param array $row As it was saved.
	 */
	public static function announce( array $row ): void {
		if ( ! Settings::moved() && ( 'forgotten' === $row['status'] || '' !== $row['email'] . $row['phone'] ) ) {
			do_action( self::ACTION, $row['token'] );
		}
	}

	/**
	 * The body of our topic's deliveries.
	 *
	 * @param mixed $payload    What WooCommerce would send.
	 * @param mixed $resource   `action` for topics like ours.
	 * @param mixed $argument   The cart's name.
	 * @param mixed $webhook_id Which webhook.
	 */
	public static function payload( $payload, $resource = '', $argument = '', $webhook_id = 0 ) {
		if ( 'action' !== $resource || ! self::is_ours( wc_get_webhook( $webhook_id ) ) ) {
			return $payload;
		}
		$row = Settings::moved() ? null : Cart_Store::get( (string) $argument );
		if ( null !== $row ) {
			return Snapshot::of( $row );
		}
		// In the words of WooCommerce's own API, so that nobody takes it for a cart.
		return array(
			'code'    => 'connector_no_such_cart',
			'message' => 'No such cart.',
			'data'    => array( 'status' => 404 ),
		);
	}

	/**
	 * Gives our topic a name in WooCommerce's list.
	 *
	 * @param mixed $topics Names by topic.
	 */
	public static function label( $topics ) {
		return array_merge( (array) $topics, array( self::TOPIC => __( 'Cart changed (Connector)', 'connector-carts' ) ) );
	}

	/**
	 * Holds our deliveries back on a copy of the shop.
	 *
	 * @param mixed $should  What WooCommerce thinks.
	 * @param mixed $webhook The webhook.
	 * @param mixed $arg     The cart's name.
	 */
	public static function should_deliver( $should, $webhook = null, $arg = '' ) {
		return $should && ! ( self::is_ours( $webhook ) && Settings::moved() );
	}

	/**
	 * Notes that a delivery of ours arrived.
	 *
	 * @param mixed $http_args  The request.
	 * @param mixed $response   The answer, or a WP_Error.
	 * @param mixed $duration   Seconds.
	 * @param mixed $arg        The cart's name.
	 * @param mixed $webhook_id Which webhook.
	 */
	public static function delivered( $http_args, $response = null, $duration = 0, $arg = '', $webhook_id = 0 ): void {
		$code = (int) wp_remote_retrieve_response_code( $response );
		if ( $code >= 200 && $code < 300 && self::is_ours( wc_get_webhook( $webhook_id ) ) ) {
			update_option( self::LAST_SUCCESS, time(), false );
		}
	}

	/**
	 * The webhook that carries our carts: an active one, else one that was paused or disabled.
	 */
	public static function ours(): ?\WC_Webhook {
		$found = array();
		foreach ( \WC_Data_Store::load( 'webhook' )->get_webhooks_ids() as $id ) {
			$webhook = wc_get_webhook( $id );
			if ( self::is_ours( $webhook ) ) {
				$found[ $webhook->get_status() ] = $webhook;
			}
		}
		return $found['active'] ?? $found['paused'] ?? $found['disabled'] ?? null;
	}

	/**
	 * How the deliveries are: `status` (none without a webhook), `last_success` (UTC with Z, or ""), `failures` in a row.
	 */
	public static function state(): array {
		$webhook = self::ours();
		$last    = (int) get_option( self::LAST_SUCCESS, 0 );
		return array(
			'status'       => $webhook ? $webhook->get_status() : 'none',
			'last_success' => $last > 0 ? gmdate( 'Y-m-d\TH:i:s\Z', $last ) : '',
			'failures'     => $webhook ? (int) $webhook->get_failure_count() : 0,
		);
	}

	/**
	 * Whether a webhook has our topic.
	 *
	 * @param mixed $webhook A WC_Webhook or nothing.
	 */
	private static function is_ours( $webhook ): bool {
		return $webhook instanceof \WC_Webhook && self::TOPIC === $webhook->get_topic();
	}
}
