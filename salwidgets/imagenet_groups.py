"""Everyday groups over the 1000 ImageNet classes, as index ranges in the usual order. Ours, made by hand.

Each group names its parent and the classes that hang directly from it; the classes of its subgroups belong to
it through them. Every class is in the tree: what no everyday word gathers hangs from "thing".
"""

from __future__ import annotations

from .errors import InputError
from .taxonomy import ClassNames

# group: (parent, index ranges)
_GROUPS: dict[str, tuple[str, str]] = {
    "animal": ("", ""),
    "mammal": ("animal", "101-106 147-150 276 298-299 330-338 339-364 385-388"),
    "dog": ("mammal", "151-268"),
    "wild dog": ("mammal", "269-275"),
    "fox": ("mammal", "277-280"),
    "cat": ("mammal", "281-285"),
    "big cat": ("mammal", "286-293"),
    "bear": ("mammal", "294-297"),
    "primate": ("mammal", ""),
    "ape": ("primate", "365-369"),
    "monkey": ("primate", "370-382"),
    "lemur": ("primate", "383-384"),
    "bird": ("animal", "7-10 11-19 20 80-96 134-142"),
    "bird of prey": ("bird", "21-24"),
    "water bird": ("bird", "97-100 127-133 143-146"),
    "fish": ("animal", "0-1 389-397"),
    "shark or ray": ("fish", "2-6"),
    "amphibian": ("animal", "25-32"),
    "reptile": ("animal", "49-51"),
    "turtle": ("reptile", "33-37"),
    "lizard": ("reptile", "38-48"),
    "snake": ("reptile", "52-68"),
    "spider or scorpion": ("animal", "70-78"),
    "insect": ("animal", "308-320"),
    "beetle": ("insect", "300-307"),
    "butterfly": ("insect", "321-326"),
    "crustacean": ("animal", "118-126"),
    "other invertebrate": ("animal", "69 79 107-117 327-329"),
    "plant or fungus": ("", "984-990 998"),
    "fungus": ("plant or fungus", "991-997"),
    "food": ("", "924-935 959-969"),
    "fruit": ("food", "948-957"),
    "vegetable": ("food", "936-947"),
    "thing": ("", ""),
    "vehicle": ("thing", ""),
    "car": ("vehicle", "407 436 468 511 609 627 656 661 751 817"),
    "truck or bus": ("vehicle", "555 569 654 675 717 734 757 779 864 867 874"),
    "cycle": ("vehicle", "444 665 670-671 870 880"),
    "train": ("vehicle", "466 547 565 705 820 829"),
    "boat": ("vehicle", "403 472 484 510 554 576 625 628 724 780 814 833 871 914"),
    "aircraft": ("vehicle", "404-405 417 812 895"),
    "other vehicle": ("vehicle", "408 450 537 561 573 575 586 603 612 660 690 802-803 847 866"),
    "musical instrument": ("thing", "401-402 420 432 486 494 513 541 546 558 566 577 579 593-594 641-642 683-684 687 "
                                    "699 776 822 875 881 889"),
    "clothing": ("thing", "399-400 411 433 439 443 445 451-452 457 459 465 474 496 501-502 514-515 518 529 552 568 "
                          "578 601 608 610 614 617 630 638-639 652 655 658 667 689 697 715 735 770 774-775 793 796 "
                          "806 808 824 834 836-837 841-842 869 887 903 906"),
    "furniture": ("thing", "423 431 453 493 495 516 520 526 532 548 553 559 564 703 765 831 857 894"),
    "building": ("thing", "410 415 425 437 442 448-449 454 467 483 497-498 500 509 580 582 598 624 634 663 668 698 "
                          "727 743 762 788 819 832 853 860 865 900 915"),
    "tool": ("thing", "477 491 587 596 623 677 726 730-731 740 783-784 792"),
    "weapon": ("thing", "413 456 471 657 744 763-764"),
    "electronics": ("thing", "480-482 485 487 508 527-528 590 592 605 613 620 632 650 662 664 673 681 688 707 713 742 "
                             "745 754 761 782 848 851 878"),
    "kitchenware": ("thing", "438 440-441 463 469 473 499 503-505 512 521 544 550 567 572 618 647 651 653 659 725 738 "
                             "760 766 809 813 827-828 849 859 868 891 898-899 901 907 909-910 923"),
    "sports equipment": ("thing", "416 422 429-430 522 543 560 574 602 615 702 722 736 746-747 752 768 795 801 805 "
                                  "852 890"),
    "place": ("", "970 972-980"),
    "person": ("", "981-983"),
}


def _indices(ranges: str) -> list[int]:
    out: list[int] = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        out.extend(range(int(first), int(last or first) + 1))
    return out


def parents_of_classes(classes: ClassNames) -> dict[str, list[str]]:
    """``{node: [parents]}`` for the 1000 names; raises `InputError` if there are not 1000 of them."""
    if len(classes) != 1000:
        raise InputError(f"Taxonomy.imagenet needs the 1000 ImageNet names in order; got {len(classes)}.")
    title = {group: f"{group} (group)" if group in classes else group for group in _GROUPS}
    parents = {title[g]: [title[above]] if above else [] for g, (above, _) in _GROUPS.items()}
    home: dict[int, list[str]] = {}
    for group, (_, ranges) in _GROUPS.items():
        for i in _indices(ranges):
            home.setdefault(i, []).append(title[group])
    for i in range(1000):
        parents[classes.unique(i)] = home.get(i, [title["thing"]])
    return parents
