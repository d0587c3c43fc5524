// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// For memory. Relocations are packed (DT_RELR, glibc 2.36). Swift's default exports every public symbol;
/// nobody looks one up. The last: what is called stands together; `scripts/link-order` makes the list.
let compact: [LinkerSetting] = [
  .unsafeFlags(
    [
      "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs",
      "-Xlinker", "--no-export-dynamic", "-Xlinker", "--no-warn-symbol-ordering", "-Xlinker",
      "--symbol-ordering-file=\(Context.packageDirectory)/Sources/globus-s3-frontend/link-order.txt",
    ], .when(configuration: .release))
]

let package = Package(
  name: "globus-s3-frontend",
  products: [
    .executable(name: "globus-s3-frontend", targets: ["globus-s3-frontend"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
  ],
  targets: [
    .systemLibrary(name: "CUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
    .systemLibrary(
      name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

    .target(name: "CReactor", dependencies: ["CUV", "CCurl", "COpenSSL"]),
    .target(name: "Reactor", dependencies: ["CReactor"], swiftSettings: strict),
    .target(name: "Crypto", dependencies: ["COpenSSL"], swiftSettings: strict),
    .target(
      name: "Audit",
      dependencies: [
        "Crypto", .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"), logging,
      ],
      swiftSettings: strict),
    .target(
      name: "Frontend", dependencies: ["Reactor", "Crypto", "Audit", logging],
      swiftSettings: strict),
    .target(
      name: "LocalGlobus", dependencies: ["Reactor", "Crypto", logging], swiftSettings: strict),
    .executableTarget(
      name: "globus-s3-frontend",
      dependencies: [
        "Frontend", "LocalGlobus", "Audit", "Reactor", "Crypto", argumentParser, logging,
      ],
      exclude: ["link-order.txt"], swiftSettings: strict, linkerSettings: compact),

    // The smallest server on Reactor, for those who want to write another.
    .executableTarget(
      name: "reactor-example", dependencies: ["Reactor"], path: "Examples", swiftSettings: strict),

    // What the record costs; scripts/bench runs it.
    .executableTarget(
      name: "audit-bench",
      dependencies: [
        "Frontend", "LocalGlobus", "Audit", "Reactor", argumentParser, logging,
      ],
      path: "Tests/Bench/Audit", exclude: ["audit.py"], swiftSettings: strict),

    // Tests answer libcurl's look-ups of names themselves (TestNames.swift).
    .testTarget(
      name: "CReactorTests", dependencies: ["CReactor"], swiftSettings: strict,
      linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic-symbol=getaddrinfo"])]),
    .testTarget(name: "ReactorTests", dependencies: ["Reactor"], swiftSettings: strict),
    .testTarget(name: "CryptoTests", dependencies: ["Crypto"], swiftSettings: strict),
    .testTarget(
      name: "AuditTests", dependencies: ["Audit", "Crypto"], swiftSettings: strict),
    .testTarget(
      name: "FrontendTests", dependencies: ["Frontend", "LocalGlobus"], swiftSettings: strict),
    .testTarget(name: "LocalGlobusTests", dependencies: ["LocalGlobus"], swiftSettings: strict),
  ]
)

// The sanitizers look at the C code: alone it builds in a third of the time.
if Context.environment["REACTOR_ONLY"] != nil {
  let kept: Set = [
    "CUV", "CCurl", "COpenSSL", "CReactor", "Reactor", "CReactorTests", "ReactorTests",
  ]
  package.targets.removeAll { !kept.contains($0.name) }
  package.products = []
}

// The fuzz targets look at Frontend's parsers: without Audit and its SQLite they build in a minute.
// scripts/fuzz builds them, with libFuzzer.
if Context.environment["FUZZ_ONLY"] != nil {
  let globus = [
    "AuthError", "AuthTokens", "AuthorizationParameters", "CollectionDocument", "CollectionID",
    "FaultTriage", "FileDocument", "FileStatus", "GlobusError", "GlobusJSON", "GlobusLimits",
    "GlobusScopes", "PercentEncoding", "RequiredScope", "RootFolder", "SignInRequirements",
    "TransferFault", "UserInfo",
  ]
  let signIn = [
    "CallbackParameters", "Credential", "CredentialCoding", "CredentialLimits", "CredentialSealer",
    "CredentialSecret", "Keyring", "KeyringCookie", "KeyringError", "KeyringFile", "SignInError",
    "SignInLink",
  ]
  let parsers =
    ["S3", "Configuration.swift", "ForwardedFor.swift", "Limits.swift"]
    + globus.map { "Globus/\($0).swift" } + signIn.map { "SignIn/\($0).swift" }
  let kept: Set = ["CUV", "CCurl", "COpenSSL", "CReactor", "Reactor", "Crypto"]
  package.targets.removeAll { !kept.contains($0.name) }
  package.targets += [
    .target(
      name: "Frontend", dependencies: ["Reactor", "Crypto", logging],
      sources: parsers,
      swiftSettings: strict),
    .executableTarget(
      name: "frontend-fuzz", dependencies: ["Frontend"], path: "Tests/Fuzz/Frontend",
      swiftSettings: strict),
  ]
  package.products = []
}
