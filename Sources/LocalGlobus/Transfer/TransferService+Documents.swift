// Transfer's documents: `endpoint`, `endpoint_list` and `file`.

import Glibc
import Reactor

extension TransferService {
  /// Every field that Globus has for a version 5 collection and that clients are known to read.
  func endpoint(_ collection: HostedCollection, _ token: AccessToken) -> JSON {
    let owner = deployment.configuration.users[0]
    let isGuest = collection.configuration.kind == .guest
    let isServed = collection.isServed
    let highAssurance = collection.configuration.highAssurance
    return [
      "DATA_TYPE": "endpoint", "id": .string(collection.id),
      "display_name": .string(collection.displayName), "canonical_name": nil,
      "description": "A local folder behind a stand-in for Globus",
      "entity_type": .string(collection.entityType),
      "public": .bool(collection.fault?.hidden != true),
      "owner_id": .string(owner.id), "owner_string": .string(owner.username),
      "organization": .string(owner.organization), "department": nil, "keywords": nil,
      "contact_email": .string(owner.email), "contact_info": nil, "info_link": nil,
      "https_server": JSON(collection.httpsServer), "tlsftp_server": nil,
      "gcs_manager_url": nil, "gcs_version": "5.4.80", "default_directory": "/",
      "high_assurance": .bool(highAssurance), "mfa_required": false,
      "authentication_timeout_mins": highAssurance ? 60 : 15840,
      "authentication_policy_id": nil, "authentication_assurance_timeout": nil,
      "host_endpoint_id": nil, "host_path": isGuest ? "/" : nil, "mapped_collection_id": nil,
      "disable_verify": false, "force_verify": false, "force_encryption": false,
      "disable_anonymous_writes": false, "acl_available": .bool(isGuest),
      "acl_editable": false, "acl_max_expiration_period_mins": nil,
      "my_effective_roles": .array(token.identity == owner ? ["administrator"] : []),
      "subscription_id": collection.fault?.subscriptionLapsed == true
        ? nil : "5ca1ab1e-0000-4000-8000-000000000002", "subscription_admin_verified": nil,
      "non_functional": false, "non_functional_endpoint_id": nil,
      "non_functional_endpoint_display_name": nil, "gcp_connected": isServed ? nil : true,
      "gcp_paused": isServed ? nil : false,
      "network_use": "normal", "in_use": false, "shareable": .bool(!isGuest),
      "sharing_target_endpoint": nil, "user_message": nil, "user_message_link": nil,
      "local_user_info_available": .bool(!isGuest), "is_globus_connect": false,
      "activated": false, "expires_in": 0, "expire_time": nil, "s3_url": nil, "username": nil,
      "myproxy_server": nil, "myproxy_dn": nil, "oauth_server": nil, "DATA": [],
    ]
  }

  /// The stand-in's own collections, by scope and words; Globus's search in a small.
  func search(_ query: Parameters, _ token: AccessToken) throws(TransferError) -> JSON {
    let limit = min(try number(query, "limit", default: 25), Limits.searchPage)
    let offset = try number(query, "offset", default: 0)
    let scope = query["filter_scope"] ?? "all"
    let words = (query["filter_fulltext"] ?? "").lowercased().split(separator: " ")
    let isMine = token.identity == deployment.configuration.users[0]
    let inScope: Bool
    switch scope {
    case "all", "hide-no-permissions":
      guard !words.isEmpty else {
        throw .badRequest("filter_fulltext is required with filter_scope=\(scope)")
      }
      inScope = true
    case "my-endpoints", "administered-by-me", "recently-used": inScope = isMine
    case "my-gcp-endpoints", "in-use", "shared-by-me", "shared-with-me": inScope = false
    default: throw .badRequest("filter_scope: unknown scope '\(scope)'")
    }
    let found = deployment.collections.filter { collection in
      guard sees(token, collection) else { return false }
      let names = collection.displayName.lowercased().split(separator: " ")
      return inScope
        && words.allSatisfy { word in names.contains { $0.hasPrefix(word) } }
        && query["filter_entity_type"].map { $0 == collection.entityType } ?? true
    }
    let page = found.dropFirst(offset).prefix(limit)
    return [
      "DATA_TYPE": "endpoint_list", "DATA": .array(page.map { endpoint($0, token) }),
      "limit": .int(Int64(limit)), "offset": .int(Int64(offset)),
      "has_next_page": .bool(found.count - page.count > offset),
    ]
  }

  func fields(_ entry: FileEntry) -> FileFields {
    let attributes = entry.attributes
    let name = entry.name.isEmpty ? "/" : FileName.text(entry.name)
    let octal = String(attributes.permissions & 0o777, radix: 8)
    let permissions = String(repeating: "0", count: 4 - octal.count) + octal
    let user = Accounts.user(attributes.user)
    let group = Accounts.group(attributes.group)
    let modified = transferTime(attributes.modified)
    let link = entry.link
    return FileFields(
      name: name, type: attributes.type.rawValue, permissions: permissions, user: user ?? "",
      group: group ?? "", modified: modified, size: attributes.size,
      document: [
        "DATA_TYPE": "file", "name": .string(name), "type": .string(attributes.type.rawValue),
        "size": .int(attributes.size), "last_modified": .string(modified),
        "permissions": .string(permissions), "user": JSON(user), "group": JSON(group),
        "link_target": JSON(link?.target.map(FileName.text)),
        "link_size": link.map { .int($0.attributes.size) } ?? .null,
        "link_user": JSON(link.flatMap { Accounts.user($0.attributes.user) }),
        "link_group": JSON(link.flatMap { Accounts.group($0.attributes.group) }),
        "link_last_modified": JSON(link.map { transferTime($0.attributes.modified) }),
      ])
  }
}
