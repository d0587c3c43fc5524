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

/// `UUID=URL`.
struct HTTPSServerArgument: ExpressibleByArgument {
  /// Lower case.
  let id: String
  /// Without trailing slash.
  let url: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, UUID(uuidString: String(parts[0])) != nil, parts[1].contains("://")
    else { return nil }
    id = parts[0].lowercased()
    url = String(parts[1].hasSuffix("/") ? parts[1].dropLast() : parts[1])
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

  /// A file of the certificates of `authority` and of those given by `--upstream-ca`.
  func trust(_ authority: String, and file: String) throws -> String {
    let trusted = path + "/trusted.pem"
    let both =
      try contents(ofFile: authority, flag: "ca_file")
      + contents(ofFile: file, flag: "--upstream-ca")
    try Data(both).write(to: URL(filePath: trusted))
    return trusted
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// What a file given by a flag holds.
func contents(ofFile file: String, flag: String) throws(LocalFailure) -> [UInt8] {
  guard let data = try? Data(contentsOf: URL(filePath: file)) else {
    throw LocalFailure("\(flag) \(file): can't be read")
  }
  return Array(data)
}

/// `local` can't serve; `description` says what to change.
struct LocalFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
