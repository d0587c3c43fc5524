// TransferService: the part of the Transfer API (v0.10) that reads: collections, their search,
// listings and stat.
//
// The order of refusals is Transfer's: the token first, then the collection, the consent, the path.

import Reactor

@Loop struct TransferService {
  let deployment: Deployment

  func answer(_ request: Request) -> Reply {
    let resource = resource(of: request)
    do throws(TransferError) {
      return Reply(200, json: try document(request, resource: resource))
    } catch {
      return Reply(error.status, json: error.document(resource: resource))
    }
  }

  /// The path without the API's version.
  private func resource(of request: Request) -> String {
    let prefix = "/v0.10"
    return request.path.hasPrefix(prefix + "/")
      ? String(request.path.dropFirst(prefix.count)) : request.path
  }

  /// The fault that is due; it is used up by that.
  func fault(_ request: Request) -> FaultOccurrence? {
    let resource = resource(of: request)
    let parts = resource.split(separator: "/").map(String.init)
    let id = parts.firstIndex(of: "endpoint").flatMap { parts.dropFirst($0 + 1).first }
    let operation = parts.count == 4 ? parts[3] : parts.first
    let found = deployment.faults.transfer(
      operation: operation, collection: id, path: request.query["path"])
    return found.map { fault in
      FaultOccurrence(
        delayMilliseconds: fault.trigger.delayMilliseconds ?? 0,
        reply: fault.reply(resource: resource, about: id.flatMap { deployment.collection($0) }))
    }
  }

  private func document(_ request: Request, resource: String) throws(TransferError) -> JSON {
    guard request.path != resource else { throw .noSuchResource }
    let token = try authenticate(request)
    let parts = resource.split(separator: "/").map(String.init)
    let reads = request.method == "GET" || request.method == "HEAD"
    switch (parts.count, parts.first) {
    case (1, "endpoint_search") where reads:
      return try search(request.query, token)
    case (2, "endpoint") where reads:
      return endpoint(try collection(parts[1], token), token)
    case (4, "operation") where parts[1] == "endpoint":
      let collection = try collection(parts[2], token)
      if collection.hasDataAccess { try demandConsent(token, collection) }
      try demandSession(token, collection)
      switch parts[3] {
      case "ls" where reads: return try list(collection, request.query)
      case "stat" where reads: return try stat(collection, request.query)
      case "ls", "stat", "mkdir", "rename", "symlink": throw .notSupported(request.method)
      default: throw .noSuchResource
      }
    case (1, "endpoint_search"), (2, "endpoint"): throw .notSupported(request.method)
    default: throw .noSuchResource
    }
  }

  private func authenticate(_ request: Request) throws(TransferError) -> AccessToken {
    guard request[header: "Authorization"] != nil else { throw .noCredentials }
    guard let text = request.bearerToken,
      let token = deployment.tokens.accessToken(text, now: deployment.now),
      token.has(Scope.transfer)
    else { throw .authenticationFailed }
    return token
  }

  private func collection(
    _ id: String, _ token: AccessToken
  ) throws(TransferError) -> HostedCollection {
    guard let collection = deployment.collection(id) else { throw .endpointNotFound(id) }
    guard sees(token, collection) else { throw .hidden(id) }
    return collection
  }

  /// A hidden collection is there for people, not for the app by itself.
  func sees(_ token: AccessToken, _ collection: HostedCollection) -> Bool {
    collection.fault?.hidden != true || deployment.configuration.users.contains(token.identity)
  }

  private func demandSession(
    _ token: AccessToken, _ collection: HostedCollection
  ) throws(TransferError) {
    guard let fault = collection.fault else { return }
    if fault.noAccount == true { throw .noAccount(collection) }
    if let policy = fault.session, !policy.isMet(by: token.session) {
      throw .session(policy, collection)
    }
  }

  /// `data_access` counts only as a dependency of the Transfer scope, not beside it.
  private func demandConsent(
    _ token: AccessToken, _ collection: HostedCollection
  ) throws(TransferError) {
    let dependencies = token.scopes.filter { $0.name == Scope.transfer }.flatMap(\.dependencies)
    guard dependencies.contains(where: { $0.name == Scope.dataAccess(collection.id) }) else {
      throw .consentRequired(collection)
    }
  }

  private func list(
    _ collection: HostedCollection, _ query: Parameters
  ) throws(TransferError) -> JSON {
    let path = try path(query["path"] ?? "/", collection)
    let limit = try number(query, "limit", default: Limits.listingEntries)
    let offset = try number(query, "offset", default: 0)
    var filters: [ListFilter] = []
    for text in query.values(of: "filter") { filters.append(try ListFilter(text)) }
    let hidden = !["0", "false"].contains(query["show_hidden"]?.lowercased())
    let entries: [FileEntry]
    do {
      entries = try collection.folder.entries(path)
    } catch {
      throw .listing(error, path, collection)
    }
    var files = entries.filter { hidden || $0.name.first != UInt8(ascii: ".") }.map(fields)
    if !filters.isEmpty {
      files = files.filter { file in filters.contains { $0.matches(file) } }
    }
    if let order = query["orderby"] { files.sort(by: try FileFields.order(order)) }
    let page = files.dropFirst(offset).prefix(min(limit, Limits.listingEntries))
    return [
      "DATA_TYPE": "file_list", "endpoint": .string(collection.id),
      "path": .string(path.directoryText), "absolute_path": nil, "rename_supported": true,
      "symlink_supported": false, "length": .int(Int64(page.count)),
      "total": .int(Int64(files.count)), "DATA": .array(page.map(\.document)),
    ]
  }

  private func stat(
    _ collection: HostedCollection, _ query: Parameters
  ) throws(TransferError) -> JSON {
    guard let text = query["path"] else { throw .badRequest("Missing required parameter 'path'") }
    let path = try path(text, collection)
    do {
      return fields(try collection.folder.entry(path)).document
    } catch {
      throw .stat(error, path, collection)
    }
  }

  private func path(
    _ text: String, _ collection: HostedCollection
  ) throws(TransferError) -> CollectionPath {
    do {
      return try CollectionPath(text)
    } catch {
      throw .invalidPath(error, collection)
    }
  }

  func number(
    _ query: Parameters, _ name: String, default standard: Int
  ) throws(TransferError) -> Int {
    guard let text = query[name] else { return standard }
    guard let value = Int(text), value >= 0 else {
      throw .badRequest("\(name): '\(text)' is not a number")
    }
    return value
  }
}
