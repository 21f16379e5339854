<?php
/**
 * Finds what PHP 7.4 does not understand, with the tokenizer of whatever PHP runs the tests.
 */

namespace ConnectorCarts\Tests;

class Syntax {

	const NEW_TOKENS = array(
		'T_MATCH'                    => 'match',
		'T_NULLSAFE_OBJECT_OPERATOR' => '?->',
		'T_ATTRIBUTE'                => 'an attribute',
		'T_ENUM'                     => 'enum',
		'T_READONLY'                 => 'readonly',
	);

	const NEW_FUNCTIONS = array(
		'str_contains', 'str_starts_with', 'str_ends_with', 'get_debug_type', 'get_resource_id', 'fdiv', 'preg_last_error_msg',
		'array_is_list', 'enum_exists', 'fsync', 'fdatasync', 'ini_parse_quantity', 'openssl_cipher_key_length', 'memory_reset_peak_usage',
		'json_validate', 'mb_str_pad', 'str_increment', 'str_decrement', 'array_find', 'array_find_key', 'array_any', 'array_all',
		'mb_trim', 'mb_ltrim', 'mb_rtrim', 'mb_ucfirst', 'mb_lcfirst', 'array_first', 'array_last',
	);

	const NEW_TYPES = array( 'mixed', 'never', 'false', 'true', 'null' );

	const BEFORE_A_VALUE = array( '=', '=>', '(', ',', '?', '??', '?:', '&&', '||', 'and', 'or', 'return', '??=' );

	/** @var array<int, array{0: string, 1: string, 2: int}> Name, lower-case text and line of each token that means something. */
	private $tokens = array();
	/** @var array<int, string> */
	private $found = array();

	/** What PHP 7.4 would not understand in a file's text, one sentence each. */
	public static function problems( string $code ): array {
		$check = new self();
		$line  = 1;
		foreach ( token_get_all( $code ) as $token ) {
			list( $name, $text ) = is_array( $token ) ? array( token_name( $token[0] ), $token[1] ) : array( $token, $token );
			if ( ! in_array( $name, array( 'T_WHITESPACE', 'T_COMMENT', 'T_DOC_COMMENT' ), true ) ) {
				$check->tokens[] = array( $name, strtolower( $text ), $line );
			}
			$line += substr_count( $text, "\n" );
		}
		foreach ( array_keys( $check->tokens ) as $at ) {
			$check->words( $at );
			$check->calls( $at );
			$check->declarations( $at );
		}
		return $check->found;
	}

	/** Keywords and signs that are younger. */
	private function words( int $at ): void {
		list( $name, $text ) = $this->tokens[ $at ];
		if ( isset( self::NEW_TOKENS[ $name ] ) && ! in_array( $this->text( $at - 1 ), array( 'function', '->', '::', 'const' ), true ) ) {
			$this->note( $at, self::NEW_TOKENS[ $name ] );
		}
		if ( 'T_THROW' === $name && in_array( $this->text( $at - 1 ), self::BEFORE_A_VALUE, true ) ) {
			$this->note( $at, 'throw as a value' );
		}
		if ( 'T_LNUMBER' === $name && 0 === strpos( $text, '0o' ) ) {
			$this->note( $at, 'a number with 0o' );
		}
		if ( 'T_CLASS' === $name && '::' === $this->text( $at - 1 ) && 'T_VARIABLE' === $this->name( $at - 2 ) ) {
			$this->note( $at, '$object::class' );
		}
		if ( 'T_CATCH' === $name && ! in_array( 'T_VARIABLE', array_column( $this->inside( $at + 1 ), 0 ), true ) ) {
			$this->note( $at, 'catch without a variable' );
		}
		if ( 'T_CONST' === $name ) {
			$this->constant( $at );
		}
	}

	private function constant( int $at ): void {
		if ( 'final' === $this->text( $at - 1 ) || 'final' === $this->text( $at - 2 ) ) {
			$this->note( $at, 'a final constant' );
		}
		if ( '=' !== $this->text( $at + 2 ) && ! in_array( 'T_USE', array( $this->name( $at - 1 ) ), true ) ) {
			$this->note( $at, 'a typed constant' );
		}
	}

	/** Calls of younger functions, and younger ways to call. */
	private function calls( int $at ): void {
		list( , $text ) = $this->tokens[ $at ];
		$before         = $this->text( $at - 1 );
		if ( '(' === $this->text( $at + 1 ) && in_array( ltrim( $text, '\\' ), self::NEW_FUNCTIONS, true ) && ! in_array( $before, array( '->', '::', 'function', 'new' ), true ) ) {
			$this->note( $at, "the function $text" );
		}
		if ( '(' === $text && 'T_ELLIPSIS' === $this->name( $at + 1 ) && ')' === $this->text( $at + 2 ) ) {
			$this->note( $at, 'f(...)' );
		}
		if ( in_array( $before, array( '(', ',' ), true ) && ':' === $this->text( $at + 1 ) && preg_match( '/\A[a-z_][a-z0-9_]*\z/', $text ) ) {
			$this->note( $at, "the named argument $text" );
		}
	}

	/** Parameters, return types and properties. */
	private function declarations( int $at ): void {
		$name = $this->name( $at );
		if ( 'T_FUNCTION' === $name || 'T_FN' === $name ) {
			$this->signature( $at );
		}
		if ( in_array( $name, array( 'T_PUBLIC', 'T_PROTECTED', 'T_PRIVATE', 'T_VAR' ), true ) ) {
			$this->property( $at );
		}
	}

	private function signature( int $at ): void {
		$open = $at + 1;
		while ( '(' !== $this->text( $open ) && $open < $at + 4 ) {
			++$open;
		}
		if ( '(' !== $this->text( $open ) || 'T_USE' === $this->name( $at - 1 ) ) {
			return;
		}
		$parameters = $this->inside( $open );
		$this->no_comma_behind( $parameters, $open );
		$this->parameters( $parameters, $open );
		$next = $open + count( $parameters ) + 2;
		if ( 'use' === $this->text( $next ) ) {
			$used = $this->inside( $next + 1 );
			$this->no_comma_behind( $used, $next );
			$next += count( $used ) + 3;
		}
		if ( ':' === $this->text( $next ) ) {
			$this->type( $this->until( $next + 1, array( '{', ';', '=>' ) ), $next, true );
		}
	}

	private function parameters( array $tokens, int $at ): void {
		$type  = array();
		$depth = 0;
		$typed = true;
		foreach ( $tokens as $token ) {
			$depth += array( '(' => 1, '[' => 1, ')' => -1, ']' => -1 )[ $token[1] ] ?? 0;
			if ( 0 === $depth && ',' === $token[1] ) {
				$typed = true;
			} elseif ( $typed && 'T_VARIABLE' === $token[0] ) {
				$this->type( $type, $at, false );
				$typed = false;
				$type  = array();
			} elseif ( $typed ) {
				$type[] = $token;
			}
		}
	}

	private function property( int $at ): void {
		$tokens = $this->until( $at + 1, array( ';', '=', '(', '{' ) );
		$last   = end( $tokens );
		if ( $last && 'T_VARIABLE' === $last[0] ) {
			$this->type( array_slice( $tokens, 0, -1 ), $at, false );
		}
	}

	private function type( array $tokens, int $at, bool $returned ): void {
		$texts = array_column( $tokens, 1 );
		if ( array_intersect( $texts, array( 'public', 'protected', 'private', 'readonly' ) ) ) {
			$this->note( $at, 'a promoted property' );
		}
		if ( in_array( '|', $texts, true ) || count( array_keys( $texts, '&', true ) ) > 0 && $returned ) {
			$this->note( $at, 'a type of several' );
		}
		if ( array_intersect( $texts, self::NEW_TYPES ) || ( $returned && in_array( 'static', $texts, true ) ) ) {
			$this->note( $at, 'the type ' . implode( '', $texts ) );
		}
	}

	private function no_comma_behind( array $tokens, int $at ): void {
		$last = end( $tokens );
		if ( $last && ',' === $last[1] ) {
			$this->note( $at, 'a comma behind the last parameter' );
		}
	}

	/** The tokens between a bracket and its partner. */
	private function inside( int $open ): array {
		$depth = 1;
		$at    = $open + 1;
		while ( isset( $this->tokens[ $at ] ) ) {
			$depth += array( '(' => 1, ')' => -1 )[ $this->tokens[ $at ][1] ] ?? 0;
			if ( 0 === $depth ) {
				break;
			}
			++$at;
		}
		return array_slice( $this->tokens, $open + 1, $at - $open - 1 );
	}

	private function until( int $at, array $ends ): array {
		$start = $at;
		while ( isset( $this->tokens[ $at ] ) && ! in_array( $this->tokens[ $at ][1], $ends, true ) ) {
			++$at;
		}
		return array_slice( $this->tokens, $start, $at - $start );
	}

	private function text( int $at ): string {
		return $this->tokens[ $at ][1] ?? '';
	}

	private function name( int $at ): string {
		return $this->tokens[ $at ][0] ?? '';
	}

	private function note( int $at, string $what ): void {
		$this->found[] = "line {$this->tokens[ $at ][2]}: $what";
	}
}
