// Folders as users have them: what is in them decides, and nothing in them is left out without a word.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/parallel.h"
#include "data/checksum.h"
#include "data/cifar.h"
#include "data/folder.h"
#include "data/image.h"
#include "data/inspect.h"
#include "data/open.h"
#include "data/picture_files.h"
#include "tests/data_fixtures.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class Tree : public TempDir {
 public:
  void picture(const std::string& name, uint8_t shade = 7) const {
    write_bytes(*this / name, encode_png({9, 9, std::vector<uint8_t>(3 * 81, shade)}));  // the name need not end in .png
  }
  void pictures(const std::string& folder, int count) const {
    for (int i = 0; i < count; ++i) picture(concat(folder, '/', i, ".png"), static_cast<uint8_t>(i));
  }
  std::vector<int64_t> counts(Split split) const {
    const FolderList list = list_folder(path(), split);
    std::vector<int64_t> result(list.class_names.size(), 0);
    for (const int64_t label : list.labels) ++result[static_cast<size_t>(label)];
    return result;
  }
};

bool any_has(const Names& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("folders: train/ is a class like others, unless what it holds looks like classes") {
  const Tree tree;
  for (const char* name : {"bicycle", "bus", "train"}) tree.pictures(name, 6);
  CHECK(open({tree.path(), "auto", 8}, Split::train)->class_names() == Names{"bicycle", "bus", "train"});
  CHECK(tree.counts(Split::test) == std::vector<int64_t>{1, 1, 1});
  SUBCASE("a class may have subfolders") {
    tree.pictures("train/night", 5);
    CHECK(tree.counts(Split::train) == std::vector<int64_t>{5, 5, 9});
  }
  SUBCASE("the folder of a split may have stray pictures") {
    fs::remove_all(tree / "bus");
    fs::remove_all(tree / "bicycle");
    tree.pictures("train/car", 5);
    tree.pictures("val/car", 2);
    CHECK(tree.counts(Split::test) == std::vector<int64_t>{2});
    CHECK(any_has(list_folder(tree.path(), Split::train).notes,
                  "left out: 6 pictures that lie in no class folder; the first: " + (tree / "train/0.png")));
  }
}

TEST_CASE("folders: the test images lie in val, valid, validation or test") {
  for (const char* name : {"val", "valid", "validation", "test", "Valid"}) {
    const Tree tree;
    tree.pictures(name[0] == 'V' ? "Train/a" : "train/a", 6);
    tree.pictures(concat(name, "/a"), 3);
    fs::create_directories(tree / "test");  // an empty one is not taken for it
    tree.pictures("extra/a", 1);
    INFO(name);
    CHECK(tree.counts(Split::train) == std::vector<int64_t>{6});
    CHECK(tree.counts(Split::test) == std::vector<int64_t>{3});
    CHECK(any_has(list_folder(tree.path(), Split::train).notes, "left out: 1 folders beside "));
  }
  const Tree only;  // without training images it is no set of two classes
  only.pictures("val/a", 6);
  only.pictures("test/a", 6);
  CHECK(error_of([&] { open({only.path(), "auto", 8}, Split::train); }).has("no training images: expected "));
}

TEST_CASE("folders: pictures are found in subfolders and by their first bytes; what else is there is counted") {
  const Tree tree;
  tree.pictures("train/cat", 3);
  tree.pictures("train/cat/more", 7);
  tree.pictures("train/dog/a/b", 5);
  tree.pictures("train/owl", 2);
  tree.picture("train/owl/no ending");
  for (const char* ending : {"jfif", "jpe", "GIF", "webp", "bmp"}) tree.picture(concat("train/owl/x.", ending));
  for (const char* name : {"cat", "dog", "owl"}) tree.pictures(concat("val/", name), 1);
  CHECK(tree.counts(Split::train) == std::vector<int64_t>{10, 5, 8});
  CHECK(list_folder(tree.path(), Split::train).notes.empty());

  write_text(tree / "train/cat/notes.txt", "no picture");
  write_text(tree / "train/dog/more.txt", "");
  write_text(tree / "train/cat/.hidden", "");
  fs::create_directories(tree / "train/empty");
  fs::create_symlink("moved away", tree / "train/cat/gone");
  fs::create_symlink("moved away", tree / "train/fox");
  fs::create_directory_symlink("..", tree / "train/cat/more/up");        // a circle
  fs::create_directory_symlink("../..", tree / "train/cat/more/upper");  // all other classes
  fs::create_directory_symlink("itself", tree / "train/cat/itself");
  CHECK(tree.counts(Split::train) == std::vector<int64_t>{10, 5, 8});
  const Names notes = list_folder(tree.path(), Split::train).notes;
  CHECK(any_has(notes, tree.path() + ": left out: 2 files that are no pictures; the first: " + (tree / "train/cat/notes.txt")));
  CHECK(any_has(notes, "left out: 3 links to nothing, pipes or devices; the first: " + (tree / "train/cat/gone")));
  CHECK(any_has(notes, "left out: 2 links to folders that were read already; the first: "));
  CHECK(any_has(notes, "left out: 1 folders without pictures, which are no classes; the first: " + (tree / "train/empty")));
  CHECK(verify({tree.path(), "folder"}).notes == notes);
  CHECK(open({tree.path(), "folder", 8}, Split::test)->notes() == list_folder(tree.path(), Split::test).notes);

  tree.pictures("val/fish", 1);
  CHECK(error_of([&] { list_folder(tree.path(), Split::test); }).has("val/fish: this class has no training images"));
  std::string deep = "train/cat";
  for (int i = 0; i < 70; ++i) deep += "/d";
  tree.picture(deep + "/x.png");
  CHECK(error_of([&] { list_folder(tree.path(), Split::train); }).has(": more than 64 folders deep"));
}

TEST_CASE("folders: a folder that cannot be read is an error, not an empty one") {
  const Tree tree;
  for (const char* name : {"a", "b"}) tree.pictures(name, 5);
  REQUIRE(::chmod((tree / "b").c_str(), 0) == 0);
  REQUIRE(::chmod(tree.path().c_str(), 0755) == 0);
  const uid_t self = ::geteuid();
  REQUIRE((self != 0 || ::seteuid(65534) == 0));  // root may read everything
  const Caught listed = error_of([&] { open({tree.path(), "auto", 8}, Split::train); });
  const VerifyResult checked = verify({tree.path(), "folder"});
  REQUIRE((self != 0 || ::seteuid(0) == 0));
  CHECK(listed.has((tree / "b") + ": cannot read the folder: Permission denied"));
  CHECK(listed.code == 3);
  CHECK(!checked.ok);
  REQUIRE(::chmod((tree / "b").c_str(), 0755) == 0);
}

TEST_CASE("CIFAR: copies are not read, missing official files are named") {
  const TempDir dir;
  const auto notes = [&] { return open({dir.path(), "cifar10"}, Split::train)->notes(); };
  write_bytes(dir / "data_batch_1.bin", make_records(4, 1, 10));
  write_bytes(dir / "test_batch.bin", make_records(2, 1, 10));
  for (const char* copy : {"data_batch_1 (1).bin", "data_batch_1 - Copy.bin", "data_batch_1(2).bin"}) {
    write_bytes(dir / copy, make_records(3, 1, 10));
    CHECK(open({dir.path()}, Split::train)->size() == 4);
    CHECK(notes() == Names{(dir / copy) + ": not used: by its name the copy of another file"});
    const VerifyResult v = verify({dir.path()});
    CHECK(v.images == 6);
    CHECK(v.notes == notes());
    CHECK(!v.official);
    fs::remove(dir / copy);
  }
  CHECK(notes().empty());  // a small set of one's own is not missing anything
  write_bytes(dir / "data_batch_2.bin", make_records(4, 1, 10));
  CHECK(any_has(notes(), "data_batch_2.bin: the same as " + (dir / "data_batch_1.bin")));
  CHECK(!verify({dir.path()}).ok);

  fs::resize_file(dir / "data_batch_2.bin", 10000 * 3073);  // the official size
  fs::rename(dir / "data_batch_1.bin", dir / "data_batch_7.bin");
  const CifarFiles files = find_cifar(dir.path(), CifarKind::cifar10, Split::train);
  CHECK(files.paths.size() == 2);
  REQUIRE(files.problems.size() == 5);
  CHECK(files.problems[0].find((dir / "data_batch_1.bin") + ": missing: the official set has 5 such files") == 0);
  CHECK(files.problems[4].find((dir / "data_batch_7.bin") + ": no file of the official set") == 0);
  CHECK(notes() == files.problems);
  write_bytes(dir / "data_batch_3.bin", make_records(1, 1, 10));
  CHECK(any_has(find_cifar(dir.path(), CifarKind::cifar10, Split::train).problems,
                "data_batch_3.bin: 3073 bytes, the official file has 30730000"));
  fs::resize_file(dir / "data_batch_2.bin", 3073);
  CHECK(find_cifar(dir.path(), CifarKind::cifar10, Split::train).problems.empty());

  write_bytes(dir / "hundred/train.bin", make_records(3, 2, 20));
  write_bytes(dir / "hundred/train (1).bin", make_records(3, 2, 20));
  CHECK(open({dir / "hundred", "cifar100"}, Split::train)->size() == 3);
}

TEST_CASE("folders: the checksum is one function of labels and pixels, on any threads, and is kept between starts") {
  Tree tree;
  const TempDir cache;
  tree.pictures("a", 9);
  tree.pictures("b", 7);
  const char* const before = std::getenv("XDG_CACHE_HOME");
  const std::string old = before ? before : "";
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  int64_t read = 0;  // images that were decoded
  const auto checksum = [&](int64_t decoded_limit = 0) {
    read = 0;
    const Progress progress = [&](int64_t done, int64_t total) {
      read = done;
      CHECK(total == 14);
    };
    return open_folder(tree.path(), Split::train, 16, progress, decoded_limit)->checksum();
  };
  const DatasetPtr set = open_folder(tree.path(), Split::train, 16);
  uint64_t hash = 0;
  std::vector<uint8_t> pixels(3 * 16 * 16);
  for (int64_t i = 0; i < set->size(); ++i) {
    set->image(i, pixels.data());
    hash = xxh64(pixels, hash + static_cast<uint64_t>(set->label(i)));
  }
  const std::string expected = hex64(hash);
  CHECK(set->checksum() == expected);
  CHECK(checksum(kDecodedLimit) == expected);
  CHECK(fs::is_empty(cache.path()));  // of images in memory it takes no time

  std::this_thread::sleep_for(std::chrono::milliseconds(80));  // pictures written just now are not trusted to stay
  CHECK((checksum() == expected && read == 14));
  CHECK((checksum() == expected && read == 0));
  const std::string file = fs::directory_iterator(cache / "hydravit")->path().string();
  const std::vector<uint8_t> kept = read_bytes(file);
  for (size_t i = 0; i <= kept.size(); i += 7) {  // bytes altered in each of its parts, then a large file
    std::vector<uint8_t> bad = kept;
    bad[i % kept.size()] ^= 1;
    if (i + 7 > kept.size()) bad.resize(1 << 20);
    write_bytes(file, bad);
    CHECK((checksum() == expected && read == 14));
  }
  CHECK(read_bytes(file) == kept);
  CHECK(open_folder(tree.path(), Split::test, 16, {}, 0)->checksum() != expected);
  CHECK(open_folder(tree.path(), Split::train, 8, {}, 0)->checksum() != expected);
  CHECK((checksum() == expected && read == 0));

  const auto bytes = fs::file_size(tree / "a/5.png");
  tree.picture("a/5.png", 9);  // the same name and size
  REQUIRE(fs::file_size(tree / "a/5.png") == bytes);
  std::this_thread::sleep_for(std::chrono::milliseconds(80));
  CHECK((checksum() != expected && read == 14));
  ::setenv("XDG_CACHE_HOME", "/dev/null/none", 1);
  const int threads = num_threads();
  set_num_threads(1);
  const std::string alone = checksum();
  set_num_threads(3);
  CHECK((checksum() == alone && read == 14));
  set_num_threads(threads);
  if (before) {
    ::setenv("XDG_CACHE_HOME", old.c_str(), 1);
  } else {
    ::unsetenv("XDG_CACHE_HOME");
  }
}
