// Data sets: what is read, what is refused, and the text of each refusal.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/parallel.h"
#include "data/checksum.h"
#include "data/cifar.h"
#include "data/folder.h"
#include "data/image.h"
#include "data/inspect.h"
#include "data/open.h"
#include "data/shapes10.h"
#include "tests/data_fixtures.h"
#include "tests/picture_fixtures.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

namespace {

std::vector<uint8_t> pixels(const Dataset& dataset, int64_t i) {
  std::vector<uint8_t> out(static_cast<size_t>(dataset.image_bytes()));
  dataset.image(i, out.data());
  return out;
}

Image flat(int64_t height, int64_t width, std::array<uint8_t, 3> color) {
  Image image{height, width, {}};
  for (const uint8_t c : color) image.chw.insert(image.chw.end(), static_cast<size_t>(height * width), c);
  return image;
}

}  // namespace

TEST_CASE("xxh64 agrees with the published figures") {
  const auto hash = [](const std::string& s, uint64_t seed = 0) {
    return hex64(xxh64({reinterpret_cast<const uint8_t*>(s.data()), s.size()}, seed));
  };
  CHECK(hash("") == "ef46db3751d8e999");
  CHECK(hash("a") == "d24ec4f1a98c6e5b");
  CHECK(hash("abc") == "44bc2cf5ad770999");
  CHECK(hash("Nobody inspects the spammish repetition") == "fbcea83c8a378bf1");
}

TEST_CASE("CIFAR-10 records: order of files, labels, pixels, names") {
  TempDir dir;
  const auto one = make_records(7, 1, 10), two = make_records(5, 1, 10);
  write_bytes(dir / "cifar-10-batches-bin/data_batch_1.bin", one);
  write_bytes(dir / "cifar-10-batches-bin/data_batch_2.bin", two);
  write_bytes(dir / "cifar-10-batches-bin/test_batch.bin", two);
  const DatasetPtr train = open({dir.path()}, Split::train);  // found in its usual subfolder
  CHECK(train->name() == "cifar10");
  CHECK(train->size() == 12);
  CHECK(train->classes() == 10);
  CHECK(train->class_names()[3] == "3");
  CHECK(train->label(6) == 6);
  CHECK(train->label(7) == 0);  // the second file begins
  CHECK(std::memcmp(pixels(*train, 8).data(), two.data() + 3073 + 1, 3072) == 0);
  auto all = one;
  all.insert(all.end(), two.begin(), two.end());
  CHECK(train->checksum() == hex64(xxh64(all)));
  CHECK(train->normalization().std[0] == 0.2470);
  CHECK(open({dir / "cifar-10-batches-bin"}, Split::test)->size() == 5);  // and in the directory itself
  CHECK(error_of([&] { train->label(12); }).has("image 12 of 12"));

  write_text(dir / "cifar-10-batches-bin/batches.meta.txt", "a\nb\r\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  CHECK(open({dir.path()}, Split::train)->class_names()[9] == "j");
  write_text(dir / "cifar-10-batches-bin/batches.meta.txt", "a\nb\n");
  CHECK(error_of([&] { open({dir.path()}, Split::train); }).has("expected 10 class names, one a line, found 2"));
}

TEST_CASE("CIFAR-100: fine and coarse labels; a part of it under other names") {
  TempDir dir;
  write_bytes(dir / "train_3.bin", make_records(3, 2, 20));
  write_bytes(dir / "test_2.bin", make_records(2, 2, 20));
  const DatasetPtr fine = open({dir.path()}, Split::train);  // its size differs from that of CIFAR-10
  CHECK(fine->name() == "cifar100");
  CHECK(fine->classes() == 100);
  CHECK(fine->size() == 3);
  CHECK(fine->label(1) == 2);
  const DatasetPtr coarse = open({dir.path(), "cifar100-coarse"}, Split::train);
  CHECK(coarse->classes() == 20);
  CHECK(coarse->label(1) == 1);
  CHECK(pixels(*fine, 2) == pixels(*coarse, 2));
  CHECK(error_of([&] { open({dir.path(), "cifar1000"}, Split::train); }).code == 2);
}

TEST_CASE("bad CIFAR files: path, byte, expected, found; exit code 3") {
  TempDir dir;
  const std::string file = dir / "data_batch_1.bin";
  auto records = make_records(4, 1, 10);
  SUBCASE("a label out of range") {
    records[2 * 3073] = 200;
    write_bytes(file, records);
    const Caught e = error_of([&] { open({dir.path()}, Split::train); });
    CHECK(e.has(file + ": label out of range: byte 6146: expected 0 to 9, found 200"));
    CHECK(e.code == 3);
  }
  SUBCASE("cut short") {
    records.resize(records.size() - 100);
    write_bytes(file, records);
    const Caught e = error_of([&] { open({dir.path()}, Split::train); });
    CHECK(e.has(file +
                ": no whole number of records: expected a multiple of 3073 bytes, found 12192 (the last record begins at "
                "byte 9219)"));
    CHECK(e.code == 3);
  }
  SUBCASE("empty") {
    write_bytes(file, {});
    CHECK(error_of([&] { open({dir.path()}, Split::train); }).has("expected a multiple of 3073 bytes, found 0"));
  }
  SUBCASE("the other split is missing") {
    write_bytes(file, records);
    const Caught e = error_of([&] { open({dir.path()}, Split::test); });
    CHECK(e.has("cifar10: no test files in " + dir.path()));
    CHECK(e.has("data get cifar10"));
    CHECK(e.code == 3);
  }
  SUBCASE("nothing there at all") {
    CHECK(error_of([&] { open({dir.path()}, Split::train); }).has("no data found"));
    const Caught e = error_of([&] { open({dir / "nowhere"}, Split::train); });
    CHECK(e.has("no such directory"));
    CHECK(e.code == 3);
  }
  SUBCASE("a directory in place of a file") {
    CHECK(error_of([&] { open_cifar_files({dir.path()}, CifarKind::cifar10, Split::train); }).has("not a regular file"));
  }
}

TEST_CASE("shapes10 is one fixed set, balanced, with true normalisation figures") {
  const int before = num_threads();
  set_num_threads(1);
  const std::string alone = make_shapes10(Split::train, 200)->checksum();
  set_num_threads(2);
  CHECK(make_shapes10(Split::train, 200)->checksum() == alone);
  CHECK(make_shapes10(Split::train, 500)->checksum() == "5c5814295cf43ece");  // with g++ and clang++ alike
  set_num_threads(before);
  CHECK(make_shapes10(Split::test, 200)->checksum() != alone);
  CHECK(make_shapes10(Split::train, 200, 11)->checksum() != alone);

  const DatasetPtr set = open({"shapes10"}, Split::train);
  CHECK(set->size() == kShapesTrain);
  const Stats s = stats(*set);
  for (size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(s.mean[c] - set->normalization().mean[c]) < 1e-4);
    CHECK(std::abs(s.std[c] - set->normalization().std[c]) < 1e-4);
    CHECK(s.image_std[c] < s.std[c]);
  }
  for (const int64_t count : s.counts.positives) CHECK(count == kShapesTrain / 10);
}

TEST_CASE("stats: pixel and per-image figures of a set known by hand") {
  TempDir dir;
  // Two images, all 0 and all 255: the pixel std is 0.5, the std within each image is 0.
  std::vector<uint8_t> records(2 * 3073, 0);
  std::fill(records.begin() + 3073, records.end(), uint8_t{255});
  records[3073] = 4;
  write_bytes(dir / "data_batch_1.bin", records);
  const Stats s = stats(*open({dir.path()}, Split::train));
  CHECK(s.mean[1] == doctest::Approx(0.5));
  CHECK(s.std[2] == doctest::Approx(0.5));
  CHECK(s.image_std[0] == doctest::Approx(0.0));
  CHECK(s.counts.positives[0] == 1);
  CHECK(s.counts.positives[4] == 1);
}

TEST_CASE("verify reports every damaged file and goes on") {
  TempDir dir;
  auto records = make_records(4, 1, 10);
  write_bytes(dir / "data_batch_1.bin", records);
  records[0] = 10;
  write_bytes(dir / "data_batch_2.bin", records);
  VerifyResult v = verify({dir.path()});
  CHECK(!v.ok);
  REQUIRE(v.files.size() == 3);
  CHECK(v.files[0].problem.empty());
  CHECK(v.files[0].records == 4);
  CHECK(v.files[0].sha256.size() == 64);
  CHECK(v.files[1].problem.find("found 10") != std::string::npos);
  CHECK(v.files[2].problem == "no test files");
  records[0] = 9;
  write_bytes(dir / "data_batch_2.bin", records);
  write_bytes(dir / "test_batch.bin", records);
  v = verify({dir.path()});
  CHECK(v.ok);
  CHECK(!v.official);
  CHECK(v.images == 12);
}

TEST_CASE("PNG: written, read back, refused when it is something else") {
  TempDir dir;
  Image image{5, 7, std::vector<uint8_t>(105)};
  for (size_t i = 0; i < image.chw.size(); ++i) image.chw[i] = static_cast<uint8_t>(i * 37);
  write_png(dir / "a.png", image);
  const Image back = load_image(dir / "a.png");
  CHECK(back.height == 5);
  CHECK(back.width == 7);
  CHECK(back.chw == image.chw);

  auto png = read_bytes(dir / "a.png");
  const auto refused = [&](std::vector<uint8_t> bytes) { return error_of([&] { decode_image(bytes, "x.png"); }); };
  CHECK(refused({'G', 'I', 'F', '8', '8', 'a', 0, 0, 0}).has("x.png: neither a PNG nor a JPEG"));
  CHECK(refused({}).has("neither a PNG nor a JPEG"));
  CHECK(refused({}).code == 3);
  // The size fields of the header (big endian at bytes 16 and 20), with the checksum of the altered header (at 29).
  const auto sized = [&](std::initializer_list<std::pair<size_t, uint8_t>> changes) {
    auto bytes = png;
    for (const auto& [at, value] : changes) bytes[at] = value;
    const uint32_t crc = crc32_of(bytes.data() + 12, 17);
    for (size_t i = 0; i < 4; ++i) bytes[29 + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    return refused(bytes);
  };
  CHECK(sized({{17, 1}}).has("x.png: picture too large: 65543 x 5"));
  CHECK(sized({{18, 0x1f}, {22, 0x1f}}).has("picture too large: 7943 x 7941"));  // each side allowed, the area not
  for (size_t length = 8; length < png.size(); ++length) {                       // every way of being cut short
    const std::vector<uint8_t> cut(png.begin(), png.begin() + static_cast<int64_t>(length));
    const Caught e = refused(cut);
    if (e.code != 0)
      CHECK(e.code == 3);
    else
      CHECK(length > png.size() - 16);  // only the closing chunk may be missing
  }
  CHECK(error_of([&] { load_image(dir / "none.png"); }).has("cannot open"));
  CHECK(error_of([&] { write_png(dir / "no/such/place.png", image); }).has("cannot write"));
}

TEST_CASE("JPEG: decoded; cut, altered and outsized files refused") {
  // 16 x 8 of the colour (200, 60, 30), written by Pillow.
  const std::string hex =
      "ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a070706080c0a0c"
      "0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffdb00430103040405040509050509140d0b0d"
      "1414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414ffc00011"
      "080008001003012200021101031101ffc4001500010100000000000000000000000000000007ffc40014100100000000000000000000"
      "000000000000ffc4001501010100000000000000000000000000000708ffc40014110100000000000000000000000000000000ffda00"
      "0c03010002110311003f00978017580fffd9";
  std::vector<uint8_t> jpeg;
  for (size_t i = 0; i < hex.size(); i += 2) jpeg.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  const auto refused = [&](const std::vector<uint8_t>& bytes) { return error_of([&] { decode_image(bytes, "x.jpg"); }); };
  const auto find = [&](uint8_t marker) {
    const std::array<uint8_t, 2> pattern = {0xff, marker};
    return static_cast<size_t>(std::search(jpeg.begin(), jpeg.end(), pattern.begin(), pattern.end()) - jpeg.begin());
  };
  const Image image = decode_image(jpeg, "x.jpg");
  CHECK(image.height == 8);
  CHECK(image.width == 16);
  CHECK(std::abs(image.chw[50] - 200) <= 2);
  CHECK(std::abs(image.chw[128 + 50] - 60) <= 2);
  CHECK(std::abs(image.chw[256 + 50] - 30) <= 2);

  auto large = jpeg;  // height and width, big endian, 5 bytes after the frame marker
  large[find(0xc0) + 5] = large[find(0xc0) + 7] = 0x1f;
  CHECK(
      refused(large).has("x.jpg: damaged image: "));  // 7952 x 7944 would be decoded at half that size, if the data were there
  auto table = jpeg;                                  // a Huffman table of more codes than there are symbols
  table[find(0xc4) + 5] = table[find(0xc4) + 6] = 255;
  CHECK(refused(table).has("x.jpg: damaged image: "));
  for (size_t length = 3; length < jpeg.size() - 3; ++length)
    CHECK(refused({jpeg.begin(), jpeg.begin() + static_cast<int64_t>(length)}).code == 3);
}

TEST_CASE("resizing keeps flat colours and averages areas") {
  const Image grey = resize_image(flat(9, 13, {10, 128, 255}), 4, 20);
  CHECK(grey.chw == flat(4, 20, {10, 128, 255}).chw);
  Image step = flat(1, 4, {0, 0, 0});
  step.chw = {0, 0, 200, 200, 0, 0, 200, 200, 0, 0, 200, 200};
  const Image half = resize_image(step, 1, 2);
  // Weights of the triangle 2 wide around x = 1: 3/8 3/8 1/8 (normalised by 7/8) over 0, 0, 200.
  CHECK(int{half.chw[0]} == 29);
  CHECK(int{half.chw[1]} == 171);
  Image tall = flat(6, 2, {0, 0, 0});
  for (size_t y = 2; y < 4; ++y) tall.chw[2 * y] = tall.chw[2 * y + 1] = 90;
  CHECK(resize_and_crop(tall, 2).chw == std::vector<uint8_t>{90, 90, 90, 90, 0, 0, 0, 0, 0, 0, 0, 0});  // the middle square
}

TEST_CASE("image folders: sorted classes, own or divided splits") {
  TempDir dir;
  for (int i = 0; i < 6; ++i) {
    const auto shade = static_cast<uint8_t>(40 * i);
    write_bytes(dir / ("b/" + std::to_string(i) + ".txt"), {});  // not an image: not looked at
    std::filesystem::create_directories(dir / "a");
    write_png(dir / ("b/" + std::to_string(i) + ".png"), flat(20, 10, {shade, 0, 0}));
    write_png(dir / ("a/" + std::to_string(i) + ".PNG"), flat(10, 20, {0, shade, 0}));
  }
  DatasetPtr train = open({dir.path(), "auto", 8}, Split::train), test = open({dir.path(), "folder", 8}, Split::test);
  CHECK(train->name() == "folder");
  CHECK(train->class_names() == std::vector<std::string>{"a", "b"});
  CHECK(train->size() == 10);
  CHECK(test->size() == 2);  // image 4 of each class
  CHECK(test->label(1) == 1);
  CHECK(pixels(*test, 1) == flat(8, 8, {160, 0, 0}).chw);
  CHECK(train->checksum() == open({dir.path(), "auto", 8}, Split::train)->checksum());
  CHECK(train->checksum() != test->checksum());

  std::filesystem::create_directories(dir / "train");
  std::filesystem::rename(dir / "a", dir / "train/a");
  std::filesystem::create_directories(dir / "val");
  std::filesystem::rename(dir / "b", dir / "val/b");
  const Caught e = error_of([&] { open({dir.path(), "folder", 8}, Split::test); });
  CHECK(e.has("this class has no training images"));
  CHECK(e.code == 3);
  std::filesystem::rename(dir / "val/b", dir / "val/a");
  CHECK(open({dir.path(), "folder", 8}, Split::test)->size() == 6);

  write_text(dir / "train/a/broken.jpg", "not a picture");
  CHECK(error_of([&] { open({dir.path(), "auto", 8}, Split::train); }).has("broken.jpg: neither a PNG nor a JPEG"));
  const VerifyResult v = verify({dir.path(), "folder"});
  CHECK(!v.ok);
  CHECK(v.images == 12);
  REQUIRE(v.files.size() == 1);
  CHECK(v.files[0].path == dir / "train/a/broken.jpg");
  CHECK(error_of([&] { open({dir.path(), "folder", 4}, Split::train); }).code == 2);
}

TEST_CASE("image folders: names that would harm are refused, others are only names; constant pictures are pictures") {
  TempDir dir;
  const auto picture = [&](const std::string& name) {
    std::filesystem::create_directories(std::filesystem::path(dir / name).parent_path());
    write_png(dir / name, flat(9, 9, {7, 7, 7}));
  };
  for (int i = 0; i < 5; ++i) {
    picture(concat("$(touch x)/", i, ".png"));
    picture(concat("%2e%2e; rm -rf/\xFF", i, ".png"));
  }
  const DatasetPtr set = open({dir.path(), "folder", 8}, Split::train);
  CHECK(set->class_names() == std::vector<std::string>{"$(touch x)", "%2e%2e; rm -rf"});
  CHECK(pixels(*set, 0) == std::vector<uint8_t>(192, 7));
  picture("b\n\033[2J/0.png");
  const Caught e = error_of([&] { list_folder(dir.path(), Split::train); });
  CHECK(e.has(dir.path() + ": a class name with control characters"));
  CHECK(e.code == 3);
}

TEST_CASE("a pipe in place of a file is refused, not waited for") {
  TempDir dir;
  REQUIRE(::mkfifo((dir / "data_batch_1.bin").c_str(), 0600) == 0);
  CHECK(error_of([&] { load_image(dir / "data_batch_1.bin"); }).has("not a regular file: name a file"));
  CHECK(error_of([&] { open_cifar_files({dir / "data_batch_1.bin"}, CifarKind::cifar10, Split::train); }).code == 3);
}

TEST_CASE("the real CIFAR-10: official files, published normalisation figures") {
  const std::string root = real_data();
  if (root.empty() || cifar_files(root, CifarKind::cifar10, Split::train).empty()) {
    MESSAGE("skipped: HYDRAVIT_DATA names no directory with CIFAR-10");
    return;
  }
  const DatasetPtr train = open({root, "cifar10"}, Split::train);
  CHECK(train->size() == 50000);
  CHECK(train->label(0) == 6);  // a frog
  CHECK(train->class_names()[6] == "frog");
  CHECK(train->checksum() == "d10bfdd1a4640e42");
  const Stats s = stats(*train);
  const std::array<double, 3> image_std = {0.2023, 0.1994, 0.2010};  // the values that are often copied
  for (size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(s.mean[c] - train->normalization().mean[c]) < 6e-5);
    CHECK(std::abs(s.std[c] - train->normalization().std[c]) < 6e-5);
    CHECK(std::abs(s.image_std[c] - image_std[c]) < 2e-4);
  }
  for (const int64_t count : s.counts.positives) CHECK(count == 5000);
  const VerifyResult v = verify({root, "cifar10"});
  CHECK(v.official);
  CHECK(v.images == 60000);
}
