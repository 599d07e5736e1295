(* SoftMax, cross-entropy, targets, and the matrices that the paper writes with them. *)

Require Import Reals Lra Lia Arith FunctionalExtensionality.
From SoftmaxTrick Require Import vectors.
Open Scope R_scope.

Definition softmax (K : nat) (x : vector) : vector := fun i => exp (x i) / sum K (fun k => exp (x k)).

(* CE(t, y) and SoftCE(t, x), equations (2) and (4). *)
Definition cross_entropy (K : nat) (t y : vector) : R := - sum K (fun k => t k * ln (y k)).
Definition soft_cross_entropy (K : nat) (t x : vector) : R := cross_entropy K t (softmax K x).

Definition unit (j : nat) : vector := fun k => delta k j.
Definition diag (v : vector) : matrix := fun i j => delta i j * v i.
Definition outer (v w : vector) : matrix := fun i j => v i * w j.
Definition minus (A B : matrix) : matrix := fun i j => A i j - B i j.
Definition product (K : nat) (A B : matrix) : matrix := fun i j => sum K (fun k => A i k * B k j).
Definition times (K : nat) (A : matrix) (v : vector) : vector := fun i => sum K (fun k => A i k * v k).
Definition transpose (A : matrix) : matrix := fun i j => A j i.

(* Sets of targets: [0,1]^K; the simplex S; its vertices e_1, ..., e_K; all vectors whose sum is one. *)
Definition cube (K : nat) (t : vector) := forall k, (k < K)%nat -> 0 <= t k <= 1.
Definition simplex (K : nat) (t : vector) := cube K t /\ sum K t = 1.
Definition vertices (K : nat) (t : vector) := exists j, (j < K)%nat /\ agree K t (unit j).
Definition sum_one (K : nat) (t : vector) := sum K t = 1.

Lemma sum_exp_positive : forall K (x : vector), (0 < K)%nat -> 0 < sum K (fun k => exp (x k)).
Proof. intros. apply sum_positive; [ assumption | intros; apply exp_pos ]. Qed.

Lemma softmax_positive : forall K x i, (i < K)%nat -> 0 < softmax K x i.
Proof. intros. apply Rdiv_lt_0_compat; [ apply exp_pos | apply sum_exp_positive; lia ]. Qed.

Lemma sum_divide : forall K f w, sum K (fun k => f k / w) = sum K f / w.
Proof.
  intros. unfold Rdiv. rewrite (sum_ext K _ (fun k => / w * f k)) by (intros; ring). rewrite sum_scale. ring.
Qed.

Lemma softmax_sums_to_one : forall K x, (0 < K)%nat -> sum K (softmax K x) = 1.
Proof.
  intros. unfold softmax. rewrite sum_divide. field. apply Rgt_not_eq. apply sum_exp_positive. assumption.
Qed.

Theorem softmax_is_a_distribution : forall K x, (1 <= K)%nat ->
  sum K (softmax K x) = 1 /\ forall i, (i < K)%nat -> 0 < softmax K x i.
Proof.
  intros. split; [ apply softmax_sums_to_one; assumption | intros; apply softmax_positive; assumption ].
Qed.

Lemma softmax_ext : forall K x x' i, agree K x x' -> (i < K)%nat -> softmax K x i = softmax K x' i.
Proof.
  intros K x x' i H Hi. unfold softmax. rewrite (sum_ext K _ (fun k => exp (x' k))), (H i Hi); [ reflexivity | ].
  intros. rewrite H by assumption. reflexivity.
Qed.

Lemma unit_in_simplex : forall K j, (j < K)%nat -> simplex K (unit j).
Proof.
  intros K j H. split; [ | apply sum_unit; assumption ].
  intros k _. unfold unit, delta. destruct (Nat.eqb k j); lra.
Qed.

Lemma vertices_in_simplex : forall K t, vertices K t -> simplex K t.
Proof.
  intros K t [ j [ Hj Ht ] ]. destruct (unit_in_simplex K j Hj) as [ Hc Hs ]. split.
  - intros k Hk. rewrite (Ht k Hk). apply Hc. assumption.
  - rewrite <- Hs. apply sum_ext. assumption.
Qed.
