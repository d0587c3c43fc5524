// What `local` takes on its command line, and the folder that it works in.

import ArgumentParser
import FoundationEssentials
import Glibc

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
