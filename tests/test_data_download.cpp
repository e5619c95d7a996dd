// `data get` against a server on this machine: resume, wrong content, no connection, hostile archives. Nothing half-installed.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include "tests/http_fixtures.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

TEST_CASE("SHA-256 of files") {
  TempDir dir;
  write_text(dir / "abc", "abc");
  CHECK(sha256_file(dir / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  write_text(dir / "empty", "");
  CHECK(sha256_file(dir / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(error_of([&] { sha256_file(dir / "none"); }).has("cannot open"));
}

TEST_CASE("get downloads, checks, unpacks; a second call does nothing") {
  TempDir dir;
  Server server;
  server.body = make_archive(dir, kGood);
  const Package package = package_for(dir, server.body);
  const std::string place = dir / "new/place";
  GetOptions options = from(server);
  int64_t done = 0, total = 0;
  options.progress = [&](int64_t d, int64_t t) { done = d, total = t; };
  const GetResult result = get(package, place, options);
  CHECK(result.folder == place + "/toy");
  CHECK(!result.already_there);
  CHECK(listing(place) == kInstalled);
  CHECK(read_bytes(place + "/toy/data_batch_1.bin") == kRecords);
  CHECK(done == package.bytes);
  CHECK(total == package.bytes);
  CHECK(get(package, place, options).already_there);
  CHECK(server.requests == 1);

  std::filesystem::resize_file(place + "/toy/data_batch_1.bin", 100);
  const Caught e = error_of([&] { get(package, place, options); });
  CHECK(e.has("incomplete: "));
  CHECK(e.has("found 100: remove or rename this folder"));
  CHECK(e.code == 3);
}

TEST_CASE("a broken transfer is continued where it ended") {
  TempDir dir;
  Server server;
  server.body = make_archive(dir, kGood);
  const Package package = package_for(dir, server.body);
  const std::string place = dir / "place";
  server.cut = 100;
  const Caught e = error_of([&] { get(package, place, from(server)); });
  CHECK(e.code == 1);
  CHECK(e.has("toy: download failed: "));
  CHECK(listing(place) == std::vector<std::string>{"toy.tar.gz.part"});
  CHECK(std::filesystem::file_size(place + "/toy.tar.gz.part") == 100);
  server.cut = -1;
  SUBCASE("the server can continue") {
    get(package, place, from(server));
    CHECK(server.last_request.find("Range: bytes=100-") != std::string::npos);
  }
  SUBCASE("the server begins again") {
    server.ranges = false;
    get(package, place, from(server));
  }
  SUBCASE("what was there belonged to another file: once more from the start") {
    write_bytes(place + "/toy.tar.gz.part", Bytes(50, 7));
    get(package, place, from(server));
    CHECK(server.last_request.find("Range") == std::string::npos);
  }
  SUBCASE("what was there is longer than the archive") {
    write_bytes(place + "/toy.tar.gz.part", Bytes(server.body.size() + 1, 7));
    get(package, place, from(server));
  }
  SUBCASE("it was complete already: no request") {
    write_bytes(place + "/toy.tar.gz.part", server.body);
    get(package, place, from(server));
    CHECK(server.requests == 1);
  }
  CHECK(listing(place) == kInstalled);
}

TEST_CASE("failures name the file, its address and its place, and install nothing") {
  TempDir dir;
  Server server;
  server.body = make_archive(dir, kGood);
  Package package = package_for(dir, server.body);
  const std::string place = dir / "place";
  Caught e;
  const auto fetch = [&] { e = error_of([&] { get(package, place, from(server)); }); };
  SUBCASE("wrong hash") {
    package.sha256[0] = package.sha256[0] == '0' ? '1' : '0';
    fetch();
    CHECK(e.has("wrong content from " + server.url() + ": expected SHA-256 "));
    CHECK(e.code == 3);
  }
  SUBCASE("short file") {
    ++package.bytes;
    fetch();
    CHECK(e.has("download failed: the transfer ended at byte "));
    CHECK(listing(place).size() == 1);
    std::filesystem::remove(place + "/toy.tar.gz.part");  // kept on purpose: the next call continues it
  }
  SUBCASE("long file") {
    --package.bytes;
    fetch();
    CHECK(e.has("longer than the expected"));
    std::filesystem::remove(place + "/toy.tar.gz.part");
  }
  SUBCASE("a server that sends little, but never nothing") {
    server.trickle = true;
    GetOptions options = from(server);
    options.stall_seconds = 1;
    e = error_of([&] { get(package, place, options); });
    CHECK(e.has("download failed: Operation too slow"));
    CHECK(e.code == 1);
    std::filesystem::remove(place + "/toy.tar.gz.part");
  }
  SUBCASE("404") {
    server.status = 404;
    fetch();
    CHECK(e.has("download failed: The requested URL returned error: 404"));
    CHECK(e.has("or fetch " + server.url() + " by other means, put it at " + place + "/toy.tar.gz and try again"));
    CHECK(e.code == 1);
  }
  SUBCASE("refused connection") {
    const GetOptions options = from(server);
    server.stop();
    e = error_of([&] { get(package, place, options); });
    CHECK(e.has("download failed: Failed to connect to 127.0.0.1"));
    CHECK(e.code == 1);
  }
  SUBCASE("an address of another kind") {
    GetOptions options;
    options.url = "file:///etc/passwd";
    e = error_of([&] { get(package, place, options); });
    CHECK(e.has("download failed: Protocol"));
  }
  SUBCASE("a place that cannot be made") {
    write_text(dir / "file", "");
    e = error_of([&] { get(package, dir / "file/below", from(server)); });
    CHECK(e.has("cannot create the directory"));
    CHECK(e.code == 1);
  }
  CHECK(listing(place).empty());
}

TEST_CASE("an archive put in place by hand is used without a network, and kept") {
  TempDir dir;
  const Bytes archive = make_archive(dir, kGood);
  const Package package = package_for(dir, archive);
  write_bytes(dir / "place/toy.tar.gz", archive);
  get(package, dir / "place");
  CHECK(listing(dir / "place").size() == 4);
  write_bytes(dir / "other/toy.tar.gz", Bytes(archive.size(), 1));
  const Caught e = error_of([&] { get(package, dir / "other"); });
  CHECK(e.has("not the expected archive: expected SHA-256"));
  CHECK(e.code == 3);
  CHECK(listing(dir / "other") == std::vector<std::string>{"toy.tar.gz"});
}

TEST_CASE("hostile archives are refused whole") {
  TempDir dir;
  std::vector<Entry> entries = kGood;
  const char* expected = "";
  SUBCASE("a way up") {
    entries.push_back({"toy/../../evil", kNames});
    expected = "unexpected file: toy/../../evil";
  }
  SUBCASE("an absolute name") {
    entries.push_back({"/tmp/evil", kNames});
    expected = "unexpected file: /tmp/evil";
  }
  SUBCASE("a name that was not asked for") {
    entries.push_back({"toy/extra.bin", kNames});
    expected = "unexpected file: toy/extra.bin";
  }
  SUBCASE("the right name elsewhere") {
    entries[1].path = "other/data_batch_1.bin";
    expected = "unexpected file: other/";
  }
  SUBCASE("a folder elsewhere") {
    entries.push_back({"etc/", {}, AE_IFDIR});
    expected = "unexpected folder: etc/";
  }
  SUBCASE("a symbolic link") {
    entries[2] = {"toy/names.txt", {}, AE_IFLNK, "/etc/passwd"};
    expected = "not a regular file: toy/names.txt";
  }
  SUBCASE("a hard link") {
    entries[2] = {"toy/names.txt", {}, AE_IFREG, "", "/etc/passwd"};
    expected = "not a regular file: toy/names.txt";
  }
  SUBCASE("a pipe") {
    entries[2] = {"toy/names.txt", {}, AE_IFIFO};
    expected = "not a regular file: toy/names.txt";
  }
  SUBCASE("a file twice") {
    entries.push_back(entries[1]);
    expected = "file appears twice: toy/data_batch_1.bin";
  }
  SUBCASE("a file missing") {
    entries.erase(entries.begin() + 1);
    expected = "file missing: toy/data_batch_1.bin";
  }
  SUBCASE("a wrong size") {
    entries[1].content.pop_back();
    expected = "wrong size of toy/data_batch_1.bin: expected 61460 bytes, found 61459";
  }
  SUBCASE("a text file that is no small one") {
    entries[2].content.resize(1 << 20);
    expected = "expected at most 65536 bytes";
  }
  SUBCASE("too many entries") {
    entries.insert(entries.end(), 1001, {"toy/", {}, AE_IFDIR});
    expected = "more than 1000 entries";
  }
  const Bytes archive = make_archive(dir, entries);
  write_bytes(dir / "place/toy.tar.gz", archive);
  const Caught e = error_of([&] { get(package_for(dir, archive), dir / "place"); });
  CHECK_MESSAGE(e.has(expected), e.text);
  CHECK(e.code == 3);
  CHECK(listing(dir / "place") == std::vector<std::string>{"toy.tar.gz"});
  CHECK(!std::filesystem::exists(dir / "evil"));
}

TEST_CASE("a damaged archive is refused at every cut and after any of many bit flips") {
  TempDir dir;
  const Bytes archive = make_archive(dir, kGood);
  const auto unpack = [&](const Bytes& bytes) {
    write_bytes(dir / "place/toy.tar.gz", bytes);
    const Caught e = error_of([&] { get(package_for(dir, bytes), dir / "place"); });
    const bool whole = std::filesystem::exists(dir / "place/toy/data_batch_1.bin");
    CHECK(whole == (e.code == 0));
    if (whole) CHECK(std::filesystem::file_size(dir / "place/toy/data_batch_1.bin") == kRecords.size());
    std::filesystem::remove_all(dir / "place");
    return e.code;
  };
  CHECK(unpack(archive) == 0);
  for (size_t length = 0; length + 600 < archive.size(); length += 97)
    CHECK(unpack(Bytes(archive.begin(), archive.begin() + static_cast<int64_t>(length))) == 3);
  for (size_t at = 0; at < archive.size(); at += 61) {
    Bytes flipped = archive;
    flipped[at] ^= static_cast<uint8_t>(1u << (at % 8));
    unpack(flipped);
  }
}

TEST_CASE("a disk that takes no more: said so, nothing installed, the download can go on") {
  TempDir dir;
  Server server;
  server.body = make_archive(dir, kGood);
  const Package package = package_for(dir, server.body);
  // A limit on file sizes stands for a full disk: write() fails in the middle.
  const auto limited = [&](rlim_t bytes, const std::function<void()>& run) {
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit low = before;
    low.rlim_cur = bytes;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
    const Caught caught = error_of(run);
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    return caught;
  };
  const std::string place = dir / "place";
  Caught e = limited(100, [&] { get(package, place, from(server)); });
  CHECK(e.has("download failed: cannot write " + place + "/toy.tar.gz.part: File too large"));
  CHECK(e.code == 1);
  CHECK(listing(place) == std::vector<std::string>{"toy.tar.gz.part"});
  const auto between = static_cast<rlim_t>(server.body.size() + 1000);
  REQUIRE(between < kRecords.size());
  e = limited(between, [&] { get(package, place, from(server)); });  // the archive fits on the disk, its content does not
  CHECK(e.has("data_batch_1.bin: cannot write: File too large: free some space"));
  CHECK(e.code == 1);
  CHECK(listing(place) == std::vector<std::string>{"toy.tar.gz"});
  get(package, place, from(server));
  CHECK(server.requests == 2);  // the archive was kept
}

TEST_CASE("the known packages") {
  CHECK(find_package("cifar10").bytes == 170052171);
  CHECK(find_package("cifar100").files.size() == 4);
  const Caught e = error_of([] { find_package("mnist"); });
  CHECK(e.text == "data get: unknown data set: mnist: choose one of cifar10, cifar100");
  CHECK(e.code == 2);
}
