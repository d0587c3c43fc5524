// Transfer's `file` document (globus.md 2.2, 2.3).

import FoundationEssentials

/// Transfer's `file_list` document.
struct FolderDocument: Decodable {
  /// Entries that are no document of a file are left out, like files without size or time.
  private struct Entry: Decodable {
    let name: String?
    let file: FileDocument?

    private enum CodingKeys: String, CodingKey { case name }

    init(from decoder: any Decoder) throws {
      name = try? decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .name)
      file = try? FileDocument(from: decoder)
    }
  }

  private let data: [Entry]

  private enum CodingKeys: String, CodingKey { case data = "DATA" }

  func entries() throws(GlobusError) -> [FolderEntry] {
    guard data.count <= GlobusLimits.listingEntries else { throw .folderTooLarge }
    return data.compactMap { entry in
      guard let name = entry.name, !name.isEmpty, let status = try? entry.file?.status() else {
        return nil
      }
      return FolderEntry(name: name, status: status)
    }
  }
}

/// One path as Transfer describes it. For a symbolic link these are the target's figures.
struct FileDocument: Decodable {
  let type: String
  let size: UInt64?
  let lastModified: String?

  private enum CodingKeys: String, CodingKey {
    case type, size
    case lastModified = "last_modified"
  }

  /// A file without size or time is not served: neither is ever made up. A folder may lack both.
  func status() throws(GlobusError) -> FileStatus {
    let modified = lastModified.flatMap(FileDocument.seconds)
    switch type {
    case "file":
      guard let size, let modified else {
        throw .unavailable("Transfer's stat lacks a file's size or time")
      }
      return FileStatus(kind: .file, size: size, modified: modified)
    case "dir":
      return FileStatus(kind: .directory, size: 0, modified: modified ?? 0)
    default:
      return FileStatus(kind: .other, size: size ?? 0, modified: modified ?? 0)
    }
  }

  /// `2026-03-04 05:06:07+00:00`, or with a T, as seconds since 1970.
  static func seconds(_ text: String) -> Int64? {
    let date =
      (try? Date(text, strategy: spaced)) ?? (try? Date(text, strategy: Date.ISO8601FormatStyle()))
    return date.map { Int64($0.timeIntervalSince1970) }
  }

  private static let spaced = Date.ISO8601FormatStyle(
    dateTimeSeparator: .space, timeZoneSeparator: .colon)
}
