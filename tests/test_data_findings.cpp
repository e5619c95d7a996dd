// The table of pictures with several findings each: both forms, each error, splits by patient and by the official lists.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "data/findings/split.h"
#include "tests/data_fixtures.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;
using Counts = std::vector<int64_t>;

// As in the official table: commas inside the brackets make eleven columns.
const std::string kNih =
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],"
    "OriginalImagePixelSpacing[x,y]\n";
std::string nih_row(const std::string& picture, const std::string& findings, const std::string& patient) {
  return picture + "," + findings + ",0," + patient + ",58,M,PA,2682,2749,0.143,0.143\n";
}

std::string refused_table(const std::string& text) {
  return error_of([&] { parse_findings(text, "t.csv"); }).text;
}

}  // namespace

TEST_CASE("findings: a table is read as RFC 4180 says, in both forms") {
  const FindingsTable nih = parse_findings(
      "\xef\xbb\xbfImage Index,Finding Labels,Patient ID\r\n"
      "\"a \"\"b\"\",\r\nc.png\" , Hernia|Mass ,7\r\n\r\n"
      "2.png,No Finding,x y\r3.png,Mass,7",
      "t.csv");
  CHECK(nih.pictures == Names{"a \"b\",\r\nc.png", "2.png", "3.png"});
  CHECK(nih.lines == Counts{2, 5, 6});
  CHECK(nih.labels == Names{"Mass", "Hernia"});  // the official order
  CHECK(nih.patients == Names{"7", "x y"});
  CHECK(nih.patient == Counts{0, 1, 0});
  CHECK(nih.has == std::vector<uint8_t>{1, 1, 0, 0, 1, 0});
  CHECK(parse_findings("Image Index,Finding Labels\na,Mass|Zebra|Hernia\n", "t").labels == Names{"Hernia", "Mass", "Zebra"});
  CHECK(parse_findings(kNih + nih_row("a", "Mass", "1"), "t").rows() == 1);

  const FindingsTable matrix = parse_findings("file,wet,patient,dry\n1.png,1,p,0\n2.png,0,q,0\n3.png,1,p,1", "t.csv");
  CHECK(matrix.labels == Names{"dry", "wet"});
  CHECK(matrix.has == std::vector<uint8_t>{0, 1, 0, 0, 1, 1});
  CHECK(matrix.patient == Counts{0, 1, 0});
  CHECK(parse_findings("file,wet\na,1\nb,0\n", "t").patients == Names{"a", "b"});  // a picture is its own patient
}

TEST_CASE("findings: what is wrong with a table is said with line and column, what is expected and found") {
  const std::string head = "Image Index,Finding Labels,Patient ID\n";
  const struct {
    std::string text, error;
  } cases[] = {
      {"", "t.csv: empty: expected a line with the names of columns, then a line per picture"},
      {"\r\n\n", "t.csv: empty"},
      {head, "t.csv: no rows: expected a line per picture"},
      {head + "a,No Finding,1\n", "t.csv: no labels: every row is No Finding"},
      {"picture,patient\na,1\n",
       "t.csv: no label column: expected 'Finding Labels', or a column of 0 and 1 per label beside the "
       "first one; found 'picture', 'patient'"},
      {"Name,Finding Labels\na,Mass\n", "t.csv: no column 'Image Index', which names the pictures: found the columns 'Name'"},
      {"patient,a\n1,1\n", "t.csv: line 1, column 1 ('patient'): expected the names of the pictures in the first column"},
      {"p,a,,b\n1,1,1,1\n", "t.csv: line 1, column 3 (''): expected the name of a label, found an empty cell"},
      {"p,a,b,a\n1,1,1,1\n", "t.csv: line 1, column 4 ('a'): this label has two columns"},
      {"p,a\n1,1\n2,0.5\n", "t.csv: line 3, column 2 ('a'): expected 0 or 1, found '0.5'"},
      {"p,a\n1,1\n2,\n", "t.csv: line 3, column 2 ('a'): expected 0 or 1, found ''"},
      {"p,a\n1,1\n2,\x1b[31m\n", "found '?[31m'"},
      {head + "a,Mass,1\n,Mass,1\n", "t.csv: line 3, column 1 ('Image Index'): expected the name of a picture's file"},
      {head + "b/a,Mass,1\n", "without a folder, found 'b/a'"},
      {head + "a,Mass,1\nb,Mass,1\na,Mass,1\n",
       "t.csv: line 4, column 1 ('Image Index'): the picture 'a' has a row already, in line 2"},
      {head + "a,Mass,\n",
       "t.csv: line 2, column 3 ('Patient ID'): expected the number or name of a patient, found an empty cell"},
      {head + "a,Mass|Hernia|Mass,1\n",
       "t.csv: line 2, column 2 ('Finding Labels'): expected each finding once, found 'Mass' twice"},
      {head + "a,Mass|,1\n", "expected names of findings separated by '|', or No Finding, found 'Mass|'"},
      {head + "a,,1\n", "or No Finding, found ''"},
      {head + "a,Mass|No Finding,1\n", "expected No Finding alone, found 'Mass|No Finding'"},
      {head + "a,Mass\n",
       "t.csv: line 2: expected 3 cells, as in the first line, found 2: put a cell that holds commas in quotes"},
      {head + "a,\"Mass\n,1\n",
       "t.csv: line 2, column 2 ('Finding Labels'): expected a closing quote, found the end of the file"},
      {head + "\n\"a\nb\",Mass,\"1\"x\n",
       "t.csv: line 3, column 3 ('Patient ID'): expected a comma or the end of the line after the closing quote, found 'x'"},
      {head + "a\"b,Mass,1\n",
       "t.csv: line 2, column 1 ('Image Index'): expected a text without quotes and zero bytes, found 'a\"b'"},
      {head + std::string("a\0b,Mass,1\n", 11), "and zero bytes, found 'a?b'"},
      {head + "a,\x01,1\n", "class name"},
      {std::string(5000, ','), "t.csv: line 1: expected at most 4096 cells, found more"},
  };
  for (const auto& one : cases) {
    const std::string found = refused_table(one.text);
    INFO(found);
    CHECK_MESSAGE(found.find(one.error) != std::string::npos, one.error);
    CHECK(found.find('\n') == std::string::npos);
  }
  std::string many = "Image Index,Finding Labels\n";
  for (int i = 0; i <= 1000; ++i) many += concat(i, ",label", i, "\n");
  CHECK(refused_table(many).find("t.csv: line 1002, column 2 ('Finding Labels'): expected at most 1000 labels") == 0);
}

TEST_CASE("findings: splits are by patient, by a hash of the name alone, and of about the right size") {
  std::string rows;
  for (int i = 0; i < 4000; ++i) rows += concat(i, ".png,Mass,", i / 2, "\n");
  const std::string head = "Image Index,Finding Labels,Patient ID\n";
  const TempDir empty;
  const FindingsTable table = parse_findings(head + rows, "t");
  const std::vector<Split> splits = split_findings(table, empty.path());
  std::array<int, 3> counts{};
  for (size_t i = 0; i < splits.size(); ++i) {
    ++counts[static_cast<size_t>(splits[i])];
    CHECK(splits[i] == splits[i / 2 * 2]);
  }
  CHECK(std::abs(counts[1] - 800) < 5 * std::sqrt(2 * 800));  // test
  CHECK(std::abs(counts[2] - 320) < 5 * std::sqrt(2 * 320));  // validation
  // Other patients before them, in another order: those that were there stay where they were.
  const FindingsTable other =
      parse_findings(head + "x,Mass,new\n" + rows.substr(rows.find("2000.png")) + rows.substr(0, rows.find("2000.png")), "t");
  const std::vector<Split> moved = split_findings(other, empty.path());
  for (int64_t i = 0; i < table.rows(); ++i)
    CHECK(moved[static_cast<size_t>(other.row_of.at(table.pictures[static_cast<size_t>(i)]))] ==
          splits[static_cast<size_t>(i)]);
  for (int patients = 3; patients < 12; ++patients) {  // a few patients: one at least for each part
    std::string few = head;
    for (int p = 0; p < patients; ++p) few += concat(p, ",Mass,", p, "\n");
    const std::vector<Split> of = split_findings(parse_findings(few, "t"), empty.path());
    for (const Split split : {Split::train, Split::test, Split::validation}) CHECK(std::count(of.begin(), of.end(), split) > 0);
  }
}

TEST_CASE("findings: official lists decide, and their errors name file, line and patient") {
  const FindingsTable table =
      parse_findings("Image Index,Finding Labels,Patient ID\na1,Mass,a\na2,Mass,a\nb1,Mass,b\nc1,Mass,c\n", "t.csv");
  const TempDir dir;
  const auto splits = [&](const std::string& train, const std::string& test) {
    write_text(dir / kTrainList, train);
    write_text(dir / kTestList, test);
    return split_findings(table, dir.path());
  };
  const auto refused = [&](const std::string& train, const std::string& test) {
    return error_of([&] { splits(train, test); }).text.substr(dir.path().size() + 1);
  };
  const std::vector<Split> official = splits("a1\r\na2\r\n\r\nc1", "b1 \n");
  CHECK(official[2] == Split::test);
  CHECK(std::count(official.begin(), official.end(), Split::test) == 1);
  CHECK(official[0] == official[1]);
  CHECK((official[0] == Split::validation) != (official[3] == Split::validation));  // a tenth, but at least one patient
  CHECK(refused("a1\na2\nx1\n", "b1") ==
        "train_val_list.txt: line 3: expected a picture that t.csv has a row of, found 'x1': add the row or remove the line");
  CHECK(refused("a1\na2\na1\n", "b1").find("train_val_list.txt: line 3: 'a1' is listed twice, here and above") == 0);
  CHECK(refused("a1\na2\nc1\n", "b1\na2").find("test_list.txt: line 2: 'a2' is listed twice, here and in the other list") == 0);
  const auto table_error = [&](const std::string& train, const std::string& test) {
    return error_of([&] { splits(train, test); }).text;
  };
  CHECK(table_error("a1\na2\n", "b1").find("t.csv: line 5: 'c1' is neither in train_val_list.txt nor in test_list.txt") == 0);
  CHECK(table_error("a1\nc1\n", "b1\na2")
            .find("t.csv: line 3: patient 'a' is for training and for testing: 'a2' is in test_list.txt") == 0);
  fs::remove(dir / kTestList);
  CHECK(error_of([&] { split_findings(table, dir.path()); }).has("found only train_val_list.txt"));
}
