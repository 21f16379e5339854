<?php
/**
 * The plugin runs on PHP 7.4, keeps to the sizes of this project, and every check of it can fail.
 */

use ConnectorCarts\Tests\Syntax;

class SyntaxTest extends PHPUnit\Framework\TestCase {

	public static function files(): array {
		$root  = dirname( __DIR__, 2 ) . '/integrations/woocommerce/plugin';
		$files = array();
		foreach ( new RecursiveIteratorIterator( new RecursiveDirectoryIterator( $root, FilesystemIterator::SKIP_DOTS ) ) as $file ) {
			if ( 'php' === $file->getExtension() ) {
				$files[ substr( $file->getPathname(), strlen( $root ) + 1 ) ] = array( $file->getPathname() );
			}
		}
		ksort( $files );
		return $files;
	}

	/**
	 * @dataProvider files
	 */
	public function test_php_7_4_understands_the_plugin( string $file ): void {
		$this->assertSame( array(), Syntax::problems( (string) file_get_contents( $file ) ) );
	}

	public function test_all_files_of_the_plugin_are_looked_at(): void {
		foreach ( array( 'connector-carts.php', 'uninstall.php', 'includes/class-restore.php', 'includes/class-capture.php' ) as $file ) {
			$this->assertArrayHasKey( $file, self::files() );
		}
	}

	/**
	 * @dataProvider files
	 */
	public function test_nobody_opens_a_file_of_the_plugin_by_its_address( string $file ): void {
		$code = (string) file_get_contents( $file );
		$this->assertMatchesRegularExpression( '/defined\( \'(?:ABSPATH|WP_UNINSTALL_PLUGIN)\' \) \|\| exit;|^<\?php\s+(?:\/\*.*?\*\/\s*)?return /s', $code );
	}

	public static function all_files(): array {
		$tests = array();
		foreach ( array_merge( glob( __DIR__ . '/*.php' ), glob( __DIR__ . '/standins/*.php' ) ) as $file ) {
			$tests[ 'tests/' . substr( $file, strlen( __DIR__ ) + 1 ) ] = array( $file );
		}
		return self::files() + $tests;
	}

	/**
	 * @dataProvider all_files
	 */
	public function test_files_and_functions_stay_small( string $file ): void {
		$code = (string) file_get_contents( $file );
		$this->assertLessThanOrEqual( 400, substr_count( $code, "\n" ) );
		preg_match_all( '/^(\t*)(?:[a-z ]+ )?function \w+\(.*?^\1\}/ms', $code, $functions );
		foreach ( $functions[0] as $function ) {
			$this->assertLessThanOrEqual( 50, 1 + substr_count( $function, "\n" ), strtok( $function, "\n" ) );
		}
	}

	/**
	 * @dataProvider younger
	 */
	public function test_what_is_younger_is_found( string $code, string $what ): void {
		$this->assertContains( "line 2: $what", Syntax::problems( "<?php\n" . $code ) );
	}

	public static function younger(): array {
		return array(
			array( '$a = match ( $b ) { 1 => 2 };', 'match' ),
			array( '$a = $b?->c;', '?->' ),
			array( '#[Attribute] class A {}', 'an attribute' ),
			array( 'enum A { case B; }', 'enum' ),
			array( 'class A { public readonly int $b; }', 'readonly' ),
			array( 'f( a: 1 );', 'the named argument a' ),
			array( 'f( 1, array: 2 );', 'the named argument array' ),
			array( 'class A { function __construct( private int $b ) {} }', 'a promoted property' ),
			array( 'function f( int|string $a ) {}', 'a type of several' ),
			array( 'function f( $x, ?int $y = 3, A|B $a = null ) {}', 'a type of several' ),
			array( 'function f(): int|false {}', 'the type int|false' ),
			array( 'class A { public int|string $b = 1; }', 'a type of several' ),
			array( '$f = fn( int|string $a ) => 1;', 'a type of several' ),
			array( 'function f( mixed $a ) {}', 'the type mixed' ),
			array( 'function f(): never {}', 'the type never' ),
			array( 'class A { function f(): static {} }', 'the type static' ),
			array( 'function f( $a, ) {}', 'a comma behind the last parameter' ),
			array( '$f = function () use ( $a, ) {};', 'a comma behind the last parameter' ),
			array( '$a = $b ?? throw new E();', 'throw as a value' ),
			array( '$f = fn() => throw new E();', 'throw as a value' ),
			array( 'try {} catch ( E ) {}', 'catch without a variable' ),
			array( '$a = $b::class;', '$object::class' ),
			array( '$f = strlen(...);', 'f(...)' ),
			array( 'class A { final public const B = 1; }', 'a final constant' ),
			array( 'class A { const int B = 1; }', 'a typed constant' ),
			array( '$a = 0o17;', 'a number with 0o' ),
			array( 'if ( str_contains( $a, $b ) ) {}', 'the function str_contains' ),
			array( '\str_starts_with( $a, $b );', 'the function \str_starts_with' ),
			array( 'array_is_list( $a );', 'the function array_is_list' ),
		);
	}

	/**
	 * @dataProvider old_enough
	 */
	public function test_what_7_4_has_is_left_alone( string $code ): void {
		$this->assertSame( array(), Syntax::problems( "<?php\n" . $code ) );
	}

	public static function old_enough(): array {
		return array(
			array( 'class A { private ?int $b = 1; const C = 2, D = 3; public const E = 4; protected static array $f = array(); }' ),
			array( 'function f( ?int $a = null, array &$b = array( 1, 2 ), int $c = A | B, ...$d ): ?array { throw new E( 1, ); }' ),
			array( '$f = static fn( int $x ): int => $x ? A : B; $a ??= 1; f( $x ? A : B, ...$c ); f( $a, );' ),
			array( 'switch ( $a ) { case A: throw new E(); default: break; } if ( $a ) throw new E(); else throw new F();' ),
			array( 'try {} catch ( A | B $e ) {} $this->match( 1 ); $this->str_contains( 1 ); A::class; foreach ( $a as list( , $b ) ): endforeach;' ),
			array( '$f = function ( $a ) use ( &$b ): void {}; class A { public function match() {} public static function f(): self {} }' ),
			array( 'use function A\b; use const A\C; $n = 1_000; $g = fn() => null; return $a ? false : null;' ),
		);
	}
}
