<?php
/**
 * WordPress's tools for personal data.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Exports and erases what we know of a person, and suggests words for the site's privacy policy.
 */
final class Privacy {

	/**
	 * What we keep with an account, as Consent writes it.
	 */
	const CONSENTS = '_connector_carts_consents';
	const REFUSAL  = '_connector_carts_opt_out';

	/**
	 * Where WooCommerce keeps how a customer last left our boxes of the block checkout.
	 */
	const BOXES = array( '_wc_other/connector-carts/email-consent', '_wc_other/connector-carts/sms-consent' );

	/**
	 * Binds exporter, eraser and policy text.
	 */
	public static function register(): void {
		add_filter( 'wp_privacy_personal_data_exporters', array( self::class, 'add_exporter' ) );
		add_filter( 'wp_privacy_personal_data_erasers', array( self::class, 'add_eraser' ) );
		add_action( 'admin_init', array( self::class, 'suggest_policy' ) );
		add_action( 'deleted_user', array( self::class, 'forget_user' ) );
	}

	/**
	 * Adds ours to the exporters.
	 *
	 * @param array $exporters All of them.
	 */
	public static function add_exporter( $exporters ): array {
		$exporters['connector-carts'] = array(
			'exporter_friendly_name' => __( 'Saved carts', 'connector-carts' ),
			'callback'               => array( self::class, 'export' ),
		);
		return $exporters;
	}

	/**
	 * Adds ours to the erasers.
	 *
	 * @param array $erasers All of them.
	 */
	public static function add_eraser( $erasers ): array {
		$erasers['connector-carts'] = array(
			'eraser_friendly_name' => __( 'Saved carts', 'connector-carts' ),
			'callback'             => array( self::class, 'erase' ),
		);
		return $erasers;
	}

	/**
	 * Everything we know under an e-mail address.
	 *
	 * @param string $email The person.
	 * @param int    $page  All fits on the first.
	 */
	public static function export( $email, $page = 1 ): array {
		$items = array();
		foreach ( self::carts_of( (string) $email ) as $row ) {
			$items[] = array(
				'group_id'    => 'connector-carts',
				'group_label' => __( 'Saved carts', 'connector-carts' ),
				'item_id'     => 'connector-cart-' . $row['token'],
				'data'        => self::told_of( $row ),
			);
		}
		$user = get_user_by( 'email', (string) $email );
		$kept = $user ? self::told_of_account( (int) $user->ID ) : array();
		if ( $kept ) {
			$items[] = array(
				'group_id'    => 'connector-carts',
				'group_label' => __( 'Saved carts', 'connector-carts' ),
				'item_id'     => 'connector-carts-account',
				'data'        => $kept,
			);
		}
		return array(
			'data' => $items,
			'done' => true,
		);
	}

	/**
	 * Forgets everything under an e-mail address; the connector is told to do the same.
	 *
	 * @param string $email The person.
	 * @param int    $page  All is done on the first.
	 */
	public static function erase( $email, $page = 1 ): array {
		$erased = 0;
		foreach ( self::carts_of( (string) $email ) as $row ) {
			Cart_Store::forget( $row['token'] );
			++$erased;
		}
		$user = get_user_by( 'email', (string) $email );
		foreach ( $user ? array_merge( array( self::CONSENTS ), self::BOXES ) : array() as $key ) {
			$erased += delete_user_meta( $user->ID, $key ) ? 1 : 0;
		}
		$refused = $user && get_user_meta( $user->ID, self::REFUSAL, true );
		return array(
			'items_removed'  => $erased > 0,
			'items_retained' => (bool) $refused,
			'messages'       => $refused ? array( __( 'That this person does not want carts to be saved is kept with the account, so that it goes on to hold.', 'connector-carts' ) ) : array(),
			'done'           => true,
		);
	}

	/**
	 * Forgets the carts of an account that was deleted.
	 *
	 * @param int $id The former user.
	 */
	public static function forget_user( $id ): void {
		foreach ( Cart_Store::of_user( (int) $id ) as $row ) {
			Cart_Store::forget( $row['token'] );
		}
	}

	/**
	 * Suggests words for the site's privacy policy.
	 */
	public static function suggest_policy(): void {
		if ( ! function_exists( 'wp_add_privacy_policy_content' ) ) {
			return;
		}
		$text = __( 'When you give your e-mail address or phone number at the checkout, or shop while you are logged in, we save your cart with your name, e-mail address, phone number, company, country, language and what you put into it, and pass it on to the service that sends our reminders. We use it to remind you of a cart that you left and to bring it back when you open the link in the reminder. You can refuse at the checkout. Saved carts are deleted from this site 45 days after their last change. What you agreed to, in which words and when, is kept with it.', 'connector-carts' );
		wp_add_privacy_policy_content( __( 'Saved carts', 'connector-carts' ), wp_kses_post( wpautop( $text ) ) );
	}

	/**
	 * Carts under an address, or of the account that has it; those that were forgotten hold nothing any more.
	 *
	 * @param string $email The person.
	 */
	private static function carts_of( string $email ): array {
		$user  = get_user_by( 'email', $email );
		$carts = array_merge( Cart_Store::of_email( $email ), $user ? Cart_Store::of_user( (int) $user->ID ) : array() );
		$named = array();
		foreach ( $carts as $row ) {
			if ( 'forgotten' !== $row['status'] ) {
				$named[ $row['token'] ] = $row;
			}
		}
		return array_values( $named );
	}

	/**
	 * One cart in words.
	 *
	 * @param array $row The saved cart.
	 */
	private static function told_of( array $row ): array {
		$lines = array();
		foreach ( $row['cart']['lines'] ?? array() as $line ) {
			$lines[] = $line['quantity'] . ' × ' . $line['name'];
		}
		$told = array(
			__( 'Status', 'connector-carts' )             => $row['status'],
			__( 'Begun at (UTC)', 'connector-carts' )        => $row['created_at'],
			__( 'Last changed at (UTC)', 'connector-carts' ) => $row['updated_at'],
			__( 'E-mail', 'connector-carts' )             => $row['email'],
			__( 'Phone', 'connector-carts' )              => $row['phone'],
			__( 'Name', 'connector-carts' )               => trim( $row['first_name'] . ' ' . $row['last_name'] ),
			__( 'Company', 'connector-carts' )            => $row['company'],
			__( 'Country', 'connector-carts' )            => $row['country'],
			__( 'Language', 'connector-carts' )           => $row['locale'],
			__( 'Products', 'connector-carts' )           => implode( ', ', $lines ),
			__( 'Coupons', 'connector-carts' )            => implode( ', ', $row['cart']['coupons'] ?? array() ),
			__( 'Consents', 'connector-carts' )           => self::told_of_consents( $row['consents'] ),
		);
		return self::pairs( $told );
	}

	/**
	 * What is kept with an account, in words.
	 *
	 * @param int $id The user.
	 */
	private static function told_of_account( int $id ): array {
		$consents = get_user_meta( $id, self::CONSENTS, true );
		$told     = array( __( 'Consents', 'connector-carts' ) => self::told_of_consents( is_array( $consents ) ? $consents : array() ) );
		if ( get_user_meta( $id, self::REFUSAL, true ) ) {
			$told[ __( 'Saving of carts', 'connector-carts' ) ] = __( 'refused', 'connector-carts' );
		}
		return self::pairs( $told );
	}

	/**
	 * Consents in words: channel, state, when, and what stood beside the box.
	 *
	 * @param array $consents As they are kept.
	 */
	private static function told_of_consents( array $consents ): string {
		$told = array();
		foreach ( $consents as $consent ) {
			$told[] = sprintf( '%s: %s, %s, “%s”', $consent['channel'] ?? '', $consent['state'] ?? '', $consent['at'] ?? '', $consent['wording'] ?? '' );
		}
		return implode( '; ', $told );
	}

	/**
	 * Names and values as WordPress's exporter wants them, without empty ones.
	 *
	 * @param array $told Values by name.
	 */
	private static function pairs( array $told ): array {
		$pairs = array();
		foreach ( $told as $name => $value ) {
			if ( '' !== $value ) {
				$pairs[] = array(
					'name'  => $name,
					'value' => $value,
				);
			}
		}
		return $pairs;
	}
}
