<?php
/**
 * The page WooCommerce → Saved carts. Has $state and $mailers.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

// phpcs:ignore WordPress.Security.NonceVerification.Recommended
$connector_carts_done = sanitize_key( wp_unslash( $_GET['done'] ?? '' ) );
?>
<div class="wrap">
	<h1><?php esc_html_e( 'Saved carts', 'connector-carts' ); ?></h1>
	<?php if ( 'saved' === $connector_carts_done ) : ?>
		<div class="notice notice-success is-dismissible"><p><?php esc_html_e( 'Saved.', 'connector-carts' ); ?></p></div>
	<?php elseif ( 'moved_in' === $connector_carts_done ) : ?>
		<div class="notice notice-success is-dismissible"><p><?php esc_html_e( 'Carts are saved and sent again.', 'connector-carts' ); ?></p></div>
	<?php endif; ?>

	<?php if ( Settings::moved() ) : ?>
		<div class="notice notice-error inline">
			<p><strong><?php esc_html_e( 'This site has moved, or is a copy.', 'connector-carts' ); ?></strong></p>
			<p>
				<?php
				/* translators: 1: former address of the site, 2: present address */
				echo esc_html( sprintf( __( 'The plugin was switched on at %1$s; this is %2$s. Until you decide, no cart is saved or sent, so that a copy for tests never writes to your customers.', 'connector-carts' ), (string) get_option( Settings::HOME ), (string) get_option( 'home' ) ) );
				?>
			</p>
			<form method="post" action="<?php echo esc_url( admin_url( 'admin-post.php' ) ); ?>">
				<input type="hidden" name="action" value="connector_carts_real_store" />
				<?php wp_nonce_field( 'connector_carts_real_store' ); ?>
				<p><button type="submit" class="button button-primary"><?php esc_html_e( 'This is the real store', 'connector-carts' ); ?></button></p>
			</form>
			<p><?php esc_html_e( 'If this is a copy, leave it as it is.', 'connector-carts' ); ?></p>
		</div>
	<?php endif; ?>

	<h2><?php esc_html_e( 'Connection', 'connector-carts' ); ?></h2>
	<table class="form-table" role="presentation">
		<tbody>
			<tr>
				<th scope="row"><?php esc_html_e( 'Connector account', 'connector-carts' ); ?></th>
				<td><?php echo esc_html( Settings_Page::status_text( $state['status'] ) ); ?></td>
			</tr>
			<tr>
				<th scope="row"><?php esc_html_e( 'Last cart delivered', 'connector-carts' ); ?></th>
				<td><?php echo esc_html( Settings_Page::time_text( $state['last_success'] ) ); ?></td>
			</tr>
			<tr>
				<th scope="row"><?php esc_html_e( 'Failed deliveries in a row', 'connector-carts' ); ?></th>
				<td><?php echo esc_html( number_format_i18n( $state['failures'] ) ); ?></td>
			</tr>
			<tr>
				<th scope="row"><?php esc_html_e( 'Open carts', 'connector-carts' ); ?></th>
				<td><?php echo esc_html( number_format_i18n( Cart_Store::open_count() ) ); ?></td>
			</tr>
			<tr>
				<th scope="row"><?php esc_html_e( 'Others that write about carts', 'connector-carts' ); ?></th>
				<td>
					<?php if ( $mailers ) : ?>
						<?php
						/* translators: %s: names of plugins */
						echo esc_html( sprintf( __( '%s: switch their cart reminders off, or your customers are reminded twice.', 'connector-carts' ), implode( ', ', $mailers ) ) );
						?>
					<?php else : ?>
						<?php esc_html_e( 'none found', 'connector-carts' ); ?>
					<?php endif; ?>
				</td>
			</tr>
		</tbody>
	</table>

	<form method="post" action="<?php echo esc_url( admin_url( 'admin-post.php' ) ); ?>">
		<input type="hidden" name="action" value="connector_carts_save" />
		<?php wp_nonce_field( 'connector_carts_save' ); ?>
		<h2><?php esc_html_e( 'Whose carts are saved', 'connector-carts' ); ?></h2>
		<fieldset>
			<legend class="screen-reader-text"><?php esc_html_e( 'Whose carts are saved', 'connector-carts' ); ?></legend>
			<?php foreach ( Settings_Page::modes() as $connector_carts_mode => $connector_carts_words ) : ?>
				<p>
					<label>
						<input type="radio" name="mode" value="<?php echo esc_attr( $connector_carts_mode ); ?>"<?php checked( Settings::capture_mode(), $connector_carts_mode ); ?> />
						<strong><?php echo esc_html( $connector_carts_words[0] ); ?></strong> – <?php echo esc_html( $connector_carts_words[1] ); ?>
					</label>
				</p>
			<?php endforeach; ?>
		</fieldset>

		<h2><?php esc_html_e( 'Boxes at the checkout', 'connector-carts' ); ?></h2>
		<p><?php esc_html_e( 'The boxes are never ticked in advance. What stood beside a box and when it was ticked is kept with the consent. An empty text means no box.', 'connector-carts' ); ?></p>
		<table class="form-table" role="presentation">
			<tbody>
				<tr>
					<th scope="row"><label for="connector-carts-email"><?php esc_html_e( 'Consent to e-mail', 'connector-carts' ); ?></label></th>
					<td><input type="text" class="large-text" maxlength="500" id="connector-carts-email" name="email_wording" value="<?php echo esc_attr( Settings::wording( 'email' ) ); ?>" /></td>
				</tr>
				<tr>
					<th scope="row"><label for="connector-carts-sms"><?php esc_html_e( 'Consent to text messages', 'connector-carts' ); ?></label></th>
					<td>
						<p><label><input type="checkbox" name="sms" value="1"<?php checked( Settings::sms_box() ); ?> /> <?php esc_html_e( 'Show this box (where the checkout asks for a phone number)', 'connector-carts' ); ?></label></p>
						<input type="text" class="large-text" maxlength="500" id="connector-carts-sms" name="sms_wording" value="<?php echo esc_attr( Settings::wording( 'sms' ) ); ?>" />
					</td>
				</tr>
				<tr>
					<th scope="row"><label for="connector-carts-notice"><?php esc_html_e( 'No to saving the cart', 'connector-carts' ); ?></label></th>
					<td>
						<?php if ( 'everyone' === Settings::capture_mode() ) : ?>
							<input type="text" class="large-text" maxlength="500" id="connector-carts-notice" name="notice" value="<?php echo esc_attr( Settings::notice() ); ?>" />
						<?php else : ?>
							<input type="hidden" name="notice" value="<?php echo esc_attr( Settings::kept_notice() ); ?>" />
							<span id="connector-carts-notice"><?php esc_html_e( 'Only shown if everyone’s carts are saved.', 'connector-carts' ); ?></span>
						<?php endif; ?>
					</td>
				</tr>
				<tr>
					<th scope="row"><?php esc_html_e( 'Newsletter forms', 'connector-carts' ); ?></th>
					<td><label><input type="checkbox" name="newsletter" value="1"<?php checked( Settings::newsletter() ); ?> /> <?php esc_html_e( 'Use an address that a shopper gave to a newsletter form for their cart as well. Only where your notice says so.', 'connector-carts' ); ?></label></td>
				</tr>
				<tr>
					<th scope="row"><?php esc_html_e( 'WooCommerce’s own reminder', 'connector-carts' ); ?></th>
					<td><label><input type="checkbox" name="hold_back_core" value="1"<?php checked( Settings::holds_back_core() ); ?> /> <?php esc_html_e( 'Hold it back while this store is connected, so that nobody is reminded twice.', 'connector-carts' ); ?></label></td>
				</tr>
			</tbody>
		</table>
		<?php submit_button(); ?>
	</form>
</div>
