// GlobusCollection: a collection behind Globus, with one credential's rights.
//
// Status comes from Transfer and is remembered some seconds per credential, collection and path,
// so that one person's answer never serves another; bytes come from the collection's own server.
//
// Invariant: whatever is asked of either passes `confined`: nothing above the bucket's root folder.

import Reactor

/// Collections of Globus, behind one set of clients.
@Loop final class GlobusCollections: CollectionOpening {
  struct StatKey: Hashable, Sendable {
    let credential: String
    let collection: CollectionID
    /// Bytes, because equal Strings may be different paths (NFC and NFD).
    let path: [UInt8]
  }

  fileprivate let transfer: TransferClient
  fileprivate let servers: DataServerClient
  fileprivate let flights = SingleFlight<StatKey, FileStatus>()
  fileprivate var recent = RecentValues<StatKey, RememberedFile>(
    capacity: GlobusLimits.statEntries, lifetime: GlobusLimits.statMicroseconds)

  fileprivate let listingFlights = SingleFlight<StatKey, [FolderEntry]>()
  fileprivate var recentListings = RecentValues<StatKey, [FolderEntry]>(
    capacity: GlobusLimits.listings, lifetime: GlobusLimits.statMicroseconds)

  init(transfer: TransferClient, servers: DataServerClient) {
    self.transfer = transfer
    self.servers = servers
  }

  func open(
    _ id: CollectionID, credential: Credential, fingerprint: String
  ) -> any Collection {
    GlobusCollection(id, credential, fingerprint, self)
  }
}

@Loop private final class GlobusCollection: Collection {
  let id: CollectionID
  /// Nil when the credential does not open the collection: everything is denied then.
  private let access: DataServerAccess?
  private let rootFolder: RootFolder?
  private let token: TransferToken
  private let fingerprint: String
  private let collections: GlobusCollections

  init(
    _ id: CollectionID, _ credential: Credential, _ fingerprint: String,
    _ collections: GlobusCollections
  ) {
    self.id = id
    self.fingerprint = fingerprint
    self.collections = collections
    let grant = credential.grant(for: id)
    access = grant.map { DataServerAccess($0) }
    rootFolder = grant?.rootFolder
    token = TransferToken(secret: credential.transfer.secret)
  }

  /// The way to the bytes, and `path` as Globus is asked for it.
  private func confined(
    _ path: String
  ) throws(GlobusError) -> (access: DataServerAccess, path: String) {
    guard let access, let path = RootFolder.confined(path, to: rootFolder) else { throw .denied }
    return (access, path)
  }

  /// `error` without demands that a sign-in to this collection can't meet.
  private func meaning(_ error: GlobusError) -> GlobusError {
    guard case .signInRequired(let requirements) = error else { return error }
    return .signInRequired(requirements.limited(to: [id]))
  }

  func remembered(_ path: String) -> RememberedFile? {
    guard let path = try? confined(path).path else { return nil }
    return collections.recent.value(for: key(path), now: Loop.clockMicroseconds)
  }

  func stat(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> FileStatus {
    let key = key(try confined(path).path)
    if let file = collections.recent.value(for: key, now: Loop.clockMicroseconds) {
      return file.status
    }
    return try await collections.flights.value(for: key) {
      do throws(GlobusError) {
        return .success(try await self.freshStat(path, trace: trace))
      } catch {
        return .failure(error)
      }
    }
  }

  func freshStat(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> FileStatus {
    let path = try confined(path).path
    let status: FileStatus
    do throws(GlobusError) {
      status = try await collections.transfer.stat(path, in: id, token: token, trace: trace)
    } catch {
      throw meaning(error)
    }
    collections.recent.set(RememberedFile(status), for: key(path), now: Loop.clockMicroseconds)
    return status
  }

  func list(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> [FolderEntry] {
    let key = key(try confined(path).path)
    if let entries = collections.recentListings.value(for: key, now: Loop.clockMicroseconds) {
      return entries
    }
    return try await collections.listingFlights.value(for: key) {
      do throws(GlobusError) {
        return .success(try await self.freshList(path, trace: trace))
      } catch {
        return .failure(error)
      }
    }
  }

  private func freshList(
    _ path: String, trace: UpstreamTrace
  ) async throws(GlobusError) -> [FolderEntry] {
    let path = try confined(path).path
    let entries: [FolderEntry]
    do throws(GlobusError) {
      entries = try await collections.transfer.list(path, in: id, token: token, trace: trace)
    } catch {
      throw meaning(error)
    }
    if entries.count <= GlobusLimits.rememberedEntries {
      collections.recentListings.set(entries, for: key(path), now: Loop.clockMicroseconds)
    }
    return entries
  }

  func read(
    _ path: String, range: ClosedRange<UInt64>?, over connection: TransferRequest.Connection,
    trace: UpstreamTrace
  ) async throws(GlobusError) -> Transfer {
    let (access, path) = try confined(path)
    do throws(GlobusError) {
      return try await collections.servers.read(
        path, range: range, over: connection, by: access, trace: trace)
    } catch {
      throw meaning(error)
    }
  }

  private func key(_ path: String) -> GlobusCollections.StatKey {
    GlobusCollections.StatKey(credential: fingerprint, collection: id, path: Array(path.utf8))
  }
}
