// The classic checkout reports its form only when the address changes. These lines let it do so for the e-mail address,
// the phone number and our boxes too: one and a half seconds after the last key, through WooCommerce's own call.
// What the browser filled in before this ran counts as typed: it differs from what the page came with.
jQuery( function ( $ ) {
	var fields = '#billing_email, #billing_phone, .connector-carts-box input', timer, sent = read( 'default' );
	function read( kind ) {
		return $( fields ).map( function () {
			return this.name + '=' + ( 'checkbox' === this.type ? this[ kind ? 'defaultChecked' : 'checked' ] : this[ kind ? 'defaultValue' : 'value' ] );
		} ).get().join( '&' );
	}
	function send() {
		var email = $( '#billing_email' )[ 0 ], now = read( '' );
		if ( now !== sent && ( ! email || email.checkValidity() ) ) {
			sent = now;
			$( document.body ).trigger( 'update_checkout' );
		}
	}
	function soon() {
		clearTimeout( timer );
		timer = setTimeout( send, 1500 );
	}
	$( document.body ).on( 'input change', fields, soon );
	soon();
} );
