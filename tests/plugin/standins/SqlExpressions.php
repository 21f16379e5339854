<?php
/**
 * Conditions and values of the small SQL: a statement's words, read one after the other.
 */

namespace ConnectorCarts\Tests;

trait SqlExpressions {

	/** @var array<int, string> */
	private $tokens = array();
	/** @var int */
	private $at = 0;

	/** @return array<int, mixed> */
	private function list_of( callable $one ): array {
		$this->next();
		$list = array();
		do {
			$list[] = $one();
		} while ( $this->eats( ',' ) );
		$this->next();
		return $list;
	}

	private function next(): string {
		if ( ! isset( $this->tokens[ $this->at ] ) ) {
			throw new \LogicException( 'The statement ends too early: ' . implode( ' ', $this->tokens ) );
		}
		return $this->tokens[ $this->at++ ];
	}

	private function eats( string $word ): bool {
		$is = isset( $this->tokens[ $this->at ] ) && strtolower( $this->tokens[ $this->at ] ) === $word;
		$this->at += $is ? 1 : 0;
		return $is;
	}

	private function expression(): callable {
		$left = $this->conjunction();
		while ( $this->eats( 'or' ) ) {
			$right = $this->conjunction();
			$left  = static fn( $row ) => $left( $row ) || $right( $row );
		}
		return $left;
	}

	private function conjunction(): callable {
		$left = $this->comparison();
		while ( $this->eats( 'and' ) ) {
			$right = $this->comparison();
			$left  = static fn( $row ) => $left( $row ) && $right( $row );
		}
		return $left;
	}

	private function comparison(): callable {
		if ( $this->eats( 'not' ) ) {
			$value = $this->comparison();
			return static fn( $row ) => ! $value( $row );
		}
		$left = $this->sum();
		if ( $this->eats( 'is' ) ) {
			$not = $this->eats( 'not' );
			$this->next();
			return static fn( $row ) => ( null === $left( $row ) ) !== $not;
		}
		$not = $this->eats( 'not' );
		if ( $this->eats( 'in' ) ) {
			$list = $this->list_of( fn() => $this->expression() );
			return static fn( $row ) => $not !== (bool) array_filter( $list, static fn( $item ) => 0 === self::compare( $item( $row ), $left( $row ) ) );
		}
		if ( $this->eats( 'like' ) ) {
			$pattern = $this->sum();
			return static fn( $row ) => $not !== (bool) preg_match( '/\A' . str_replace( array( '%', '_' ), array( '.*', '.' ), preg_quote( $pattern( $row ), '/' ) ) . '\z/si', (string) $left( $row ) );
		}
		$signs = array( '=', '<>', '!=', '<', '>', '<=', '>=' );
		if ( ! isset( $this->tokens[ $this->at ] ) || ! in_array( $this->tokens[ $this->at ], $signs, true ) ) {
			return $left;
		}
		$sign  = $this->next();
		$right = $this->sum();
		return static function ( $row ) use ( $left, $right, $sign ): bool {
			$order = self::compare( $left( $row ), $right( $row ) );
			return array( '=' => 0 === $order, '<>' => 0 !== $order, '!=' => 0 !== $order, '<' => $order < 0, '>' => $order > 0, '<=' => $order <= 0, '>=' => $order >= 0 )[ $sign ];
		};
	}

	private function sum(): callable {
		$left = $this->value();
		while ( isset( $this->tokens[ $this->at ] ) && in_array( $this->tokens[ $this->at ], array( '+', '-' ), true ) ) {
			$sign  = '+' === $this->next() ? 1 : -1;
			$right = $this->value();
			$left  = static fn( $row ) => $left( $row ) + $sign * $right( $row );
		}
		return $left;
	}

	private function value(): callable {
		$word = $this->next();
		if ( '(' === $word ) {
			$inner = $this->expression();
			$this->next();
			return $inner;
		}
		if ( "'" === $word[0] ) {
			$text = stripslashes( str_replace( "''", "'", substr( $word, 1, -1 ) ) );
			return static fn() => $text;
		}
		if ( is_numeric( $word ) ) {
			return static fn() => $word;
		}
		if ( isset( $this->tokens[ $this->at ] ) && '(' === $this->tokens[ $this->at ] && '`' !== $word[0] ) {
			return $this->call( strtolower( $word ) );
		}
		if ( in_array( strtolower( $word ), array( 'null', '*' ), true ) ) {
			return static fn() => null;
		}
		$column = trim( $word, '`' );
		return static function ( $row ) use ( $column ) {
			if ( ! array_key_exists( $column, $row ) ) {
				throw new \LogicException( "No column $column" );
			}
			return $row[ $column ];
		};
	}

	private function call( string $name ): callable {
		$arguments = $this->list_of( fn() => $this->expression() );
		$known     = array(
			'greatest' => 'max',
			'least'    => 'min',
			'lower'    => 'strtolower',
			'coalesce' => static fn( ...$values ) => current( array_filter( $values, static fn( $value ) => null !== $value ) ),
			'values'   => static fn( $value ) => $value,
			'count'    => static fn() => null,
			'min'      => static fn() => null,
			'max'      => static fn() => null,
		);
		if ( ! isset( $known[ $name ] ) ) {
			throw new \LogicException( "No function $name" );
		}
		return static fn( $row ) => $known[ $name ]( ...array_map( static fn( $argument ) => $argument( $row ), $arguments ) );
	}

	private static function compare( $one, $other ): int {
		if ( is_numeric( $one ) && is_numeric( $other ) ) {
			return $one <=> $other;
		}
		return strcasecmp( (string) $one, (string) $other );
	}
}
