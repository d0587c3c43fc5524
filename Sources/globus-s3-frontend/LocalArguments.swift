// What `local` takes on its command line, and the folder and the wait that it needs.

import ArgumentParser
import FoundationEssentials
import Glibc
import Reactor

/// `UUID=DIR`.
struct CollectionArgument: ExpressibleByArgument {
  /// Lower case.
  let id: String
  let directory: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, UUID(uuidString: String(parts[0])) != nil else { return nil }
    id = parts[0].lowercased()
    directory = String(parts[1])
  }
}

/// `HOST:PORT`; an IPv6 address stands in brackets.
struct ListenAddress: ExpressibleByArgument, Sendable, CustomStringConvertible {
  /// Without brackets.
  let host: String
  let port: UInt16

  init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":"),
      let port = UInt16(argument[argument.index(after: colon)...])
    else { return nil }
    var host = argument[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty else { return nil }
    self.init(host: String(host), port: port)
  }

  var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  var defaultValueDescription: String { description }
}

/// A folder of mode 0700 for this process.
struct WorkDirectory {
  let path: String

  init() throws {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/globus-s3-frontend-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw LocalFailure("\(base): \(String(cString: strerror(errno)))")
    }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// `local` can't serve; `description` says what to change.
struct LocalFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// SIGINT or SIGTERM, noticed from the start on.
@Loop final class Interruption {
  private var happened = false
  private var waiter: CheckedContinuation<Void, Never>?

  init() {
    for signal in [SIGINT, SIGTERM] { Loop.onSignal(signal) { self.deliver() } }
  }

  func wait() async {
    if happened { return }
    await withCheckedContinuation { waiter = $0 }
  }

  private func deliver() {
    happened = true
    waiter?.resume()
    waiter = nil
  }
}
