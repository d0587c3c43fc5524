// LimitFlags: the limits that an operator may change, as flags of `serve` and of `local`.
//
// The defaults shown are those of the modules that keep the limits; docs/limits.md has all limits.

import ArgumentParser
import Frontend
import Reactor

struct LimitFlags: ParsableArguments {
  private static let server = Server.Limits()

  @Option(
    help: seconds("From a request's first byte to its head's last", server.headTimeoutMilliseconds))
  var headTimeout: [String] = []
  @Option(help: seconds("A connection without a request", server.idleTimeoutMilliseconds))
  var idleTimeout: [String] = []
  @Option(help: seconds("Between two reads of a request's body", server.bodyTimeoutMilliseconds))
  var bodyTimeout: [String] = []
  @Option(help: seconds("While a client takes no byte", server.writeStallMilliseconds))
  var writeStallTimeout: [String] = []
  @Option(help: count("Connections of a listener", server.maxConnections))
  var maxConnections: [String] = []

  var given: [String: [String]] {
    [
      "head-timeout": headTimeout, "idle-timeout": idleTimeout, "body-timeout": bodyTimeout,
      "write-stall-timeout": writeStallTimeout, "max-connections": maxConnections,
    ]
  }

  /// For a command whose only settings are flags.
  func settings() throws(ConfigurationError) -> Settings {
    try Settings(flags: given, environment: [:], configFile: nil)
  }

  /// The flags' names.
  static let names: Set<String> = [
    "head-timeout", "idle-timeout", "body-timeout", "write-stall-timeout", "max-connections",
  ]

  private static func seconds(_ what: String, _ milliseconds: UInt32) -> ArgumentHelp {
    ArgumentHelp("\(what). (default: \(milliseconds / 1000))", valueName: "seconds")
  }

  private static func count(_ what: String, _ number: UInt32) -> ArgumentHelp {
    ArgumentHelp("\(what). (default: \(number))", valueName: "number")
  }
}

extension Settings {
  /// The limits of each listener, the defaults where nothing is set.
  func serverLimits() throws(ConfigurationError) -> Server.Limits {
    var limits = Server.Limits()
    try take("head-timeout", &limits.headTimeoutMilliseconds)
    try take("idle-timeout", &limits.idleTimeoutMilliseconds)
    try take("body-timeout", &limits.bodyTimeoutMilliseconds)
    try take("write-stall-timeout", &limits.writeStallMilliseconds)
    try take("max-connections", 1...1_000_000, &limits.maxConnections)
    return limits
  }

  /// A duration in seconds, decimals allowed.
  private func take(_ name: String, _ milliseconds: inout UInt32) throws(ConfigurationError) {
    guard let text = try value(name) else { return }
    guard let seconds = Double(text), 0.01...86_400 ~= seconds else {
      throw error(name, "must be a number of seconds, 0.01 to 86400")
    }
    milliseconds = UInt32(seconds * 1000)
  }

  private func take(
    _ name: String, _ range: ClosedRange<UInt32>, _ number: inout UInt32
  ) throws(ConfigurationError) {
    guard let text = try value(name) else { return }
    guard let given = UInt32(text), range ~= given else {
      throw error(name, "must be a number, \(range.lowerBound) to \(range.upperBound)")
    }
    number = given
  }
}
