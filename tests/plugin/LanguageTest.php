<?php
/**
 * Every text that people see has a French one, with the same placeholders; a French text without its English one is dead.
 */

class LanguageTest extends PHPUnit\Framework\TestCase {

	const CALLS = array( '__', '_e', '_x', 'esc_html__', 'esc_html_e', 'esc_attr__', 'esc_attr_e' );

	private static function root(): string {
		return dirname( __DIR__, 2 ) . '/integrations/woocommerce/plugin';
	}

	/** First arguments of the calls that translate; a call with a variable or without our domain is a mistake. */
	private function texts_in( string $code ): array {
		$tokens = array_values( array_filter( token_get_all( $code ), static fn( $token ) => ! is_array( $token ) || ! in_array( $token[0], array( T_WHITESPACE, T_COMMENT ), true ) ) );
		$texts  = array();
		foreach ( $tokens as $at => $token ) {
			if ( is_array( $token ) && T_STRING === $token[0] && in_array( $token[1], self::CALLS, true ) && '(' === $tokens[ $at + 1 ] ) {
				$this->assertSame( T_CONSTANT_ENCAPSED_STRING, $tokens[ $at + 2 ][0], 'a text must stand in the call: ' . $token[1] . ' in line ' . $token[2] );
				$this->assertSame( "'connector-carts'", $tokens[ $at + 4 ][1], 'line ' . $token[2] );
				$texts[] = stripslashes( substr( $tokens[ $at + 2 ][1], 1, -1 ) );
			}
		}
		return $texts;
	}

	private function texts(): array {
		$texts = array();
		foreach ( array_merge( glob( self::root() . '/*.php' ), glob( self::root() . '/includes/*.php' ) ) as $file ) {
			$texts = array_merge( $texts, $this->texts_in( (string) file_get_contents( $file ) ) );
		}
		return array_values( array_unique( $texts ) );
	}

	private function french(): array {
		return require self::root() . '/languages/connector-carts-fr_FR.l10n.php';
	}

	public function test_every_text_has_a_french_one(): void {
		$this->assertGreaterThan( 40, count( $this->texts() ) );
		$this->assertSame( array(), array_values( array_diff( $this->texts(), array_keys( $this->french()['messages'] ) ) ) );
	}

	public function test_no_french_text_is_dead(): void {
		$this->assertSame( array(), array_values( array_diff( array_keys( $this->french()['messages'] ), $this->texts() ) ) );
	}

	public function test_placeholders_are_the_same(): void {
		foreach ( $this->french()['messages'] as $english => $french ) {
			$this->assertNotSame( '', $french );
			preg_match_all( '/%(?:\d\$)?[sd]/', $english, $wanted );
			preg_match_all( '/%(?:\d\$)?[sd]/', $french, $found );
			sort( $wanted[0] );
			sort( $found[0] );
			$this->assertSame( $wanted[0], $found[0], $english );
		}
	}

	public function test_a_text_out_of_a_variable_is_found(): void {
		$this->assertSame( array( "It's" ), $this->texts_in( "<?php __( 'It\\'s', 'connector-carts' );" ) );
		$this->expectException( PHPUnit\Framework\ExpectationFailedException::class );
		$this->texts_in( '<?php __( $text, \'connector-carts\' );' );
	}
}
