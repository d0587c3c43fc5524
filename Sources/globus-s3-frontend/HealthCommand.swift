// health: asks a running server whether it is ready, for supervisors that can run a command only.

import ArgumentParser
import FoundationEssentials
import Frontend
import Glibc
import Reactor

struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Ask a running server whether it is ready.",
    discussion: """
      Asks the listener of --operations-listen, prints its answer, and ends with 0 when that is \
      200, else with 1.
      """)

  @Argument(
    help: """
      What to ask. (default: /readyz at $GLOBUS_S3_OPERATIONS_LISTEN)
      """)
  var url: String?

  func run() throws {
    let url: String
    if let given = self.url {
      url = given
    } else if let address = ProcessInfo.processInfo.environment["GLOBUS_S3_OPERATIONS_LISTEN"],
      !address.isEmpty
    {
      url = "http://\(address)/readyz"
    } else {
      throw ConfigurationError(
        "health of what? Give a URL such as http://127.0.0.1:8001/readyz, or set "
          + "GLOBUS_S3_OPERATIONS_LISTEN", code: 64)
    }
    let status = Loop.run { await ask(url) }
    if status != 0 { throw ExitCode(status) }
  }
}

@Loop private func ask(_ url: String) async -> Int32 {
  var configuration = HTTPClient.Configuration()
  configuration.allowPlainHTTP = true
  configuration.allowAnyAddress = true
  var request = TransferRequest("GET", url)
  request.connectTimeoutMilliseconds = Limits.healthMilliseconds
  request.firstByteTimeoutMilliseconds = Limits.healthMilliseconds
  request.stallTimeoutMilliseconds = Limits.healthMilliseconds
  do {
    let (head, body) = try await HTTPClient(configuration)
      .fetch(request, limit: Limits.healthBytes)
    writeLine(String(decoding: body, as: UTF8.self))
    return head.status == 200 ? 0 : 1
  } catch {
    writeErrorLine("globus-s3-frontend: \(url): \(error)")
    return 1
  }
}

private func writeLine(_ text: String) { print(text, terminator: text.hasSuffix("\n") ? "" : "\n") }
