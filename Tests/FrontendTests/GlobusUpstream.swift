// An upstream of tests' own making: every request gets the answer of a closure and is remembered.

import Crypto
import FoundationEssentials
import Reactor

@Loop final class GlobusUpstream {
  struct Answer: Sendable {
    var status = 200
    var headers = Headers()
    var body = ""

    init(_ status: Int, _ body: String, headers: Headers = [:]) {
      self.status = status
      self.body = body
      self.headers = headers
    }
  }

  private(set) var requests: [RequestHead] = []
  private var server: Server?

  /// With a certificate of `authority`, over TLS.
  init(
    tls: TLSIdentity? = nil, at host: String = "127.0.0.1", port: UInt16 = 0,
    _ answer: @escaping @Loop @Sendable (RequestHead, _ number: Int) async -> Answer
  ) throws {
    server = try Server(Server.Configuration(host: host, port: port), tls: tls) { exchange in
      self.requests.append(exchange.head)
      let answer = await answer(exchange.head, self.requests.count)
      _ = await exchange.respond(
        answer.status, answer.headers, body: Array(answer.body.utf8))
    }
  }

  var port: UInt16 { server?.port ?? 0 }
  var url: String { "http://127.0.0.1:\(port)" }

  func close() {
    server?.close()
    server = nil
  }
}

/// Runs `body` in a task of the loop, as all request logic runs: a test's own task would leave the
/// loop's thread at every `await`.
func onLoop(_ body: @escaping @Loop @Sendable () async throws -> Void) async throws {
  try await withCheckedThrowingContinuation { continuation in
    Loop.start {
      do {
        try await body()
        continuation.resume()
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }
}

/// A folder that ends with its owner.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/gs3-" + UUID().uuidString
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ text: String, to name: String) -> String {
    let file = path + "/" + name
    _ = FileManager.default.createFile(atPath: file, contents: Data(text.utf8))
    return file
  }

  /// A server's identity for a name, and the file of the authority behind it.
  @Loop func identity(
    _ name: String = "localhost"
  ) throws -> (identity: TLSIdentity, caFile: String) {
    let authority = try CertificateAuthority(name: "test")
    let issued = try authority.issue(dnsNames: [name])
    let identity = try TLSIdentity(
      certificateFile: write(issued.certificatePEM, to: "server.pem"),
      keyFile: write(issued.privateKeyPEM, to: "server.key"))
    return (identity, write(authority.certificatePEM, to: "ca.pem"))
  }
}
