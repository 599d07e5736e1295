(* Vectors over K classes, the derivative, and the two facts of analysis that the proofs of theorem_a1 rest on.

   A vector of R^K is a function from the natural numbers to the reals of which only the entries 0, ..., K-1 count; the
   paper numbers the classes from 1. A map F : R^K -> R^K is a function of such vectors that does not look beyond entry
   K-1 ("local").

   (P2) and (P3) are stated with partial derivatives, which is the weaker notion: a Frechet derivative has the partial
   derivatives as its entries (frechet_jacobian), so that what follows from the partial derivatives follows from it too;
   and for a differentiable map "J is its Frechet derivative" and "the entries of J are its partial derivatives" say the
   same (frechet_iff_jacobian). That every map with (P2), in the weak sense, is Frechet differentiable is shown in
   theorem_a1 (p2_is_differentiable). *)

Require Import Reals Lra Lia Arith FunctionalExtensionality.
Open Scope R_scope.

Definition vector := nat -> R.
Definition matrix := nat -> nat -> R.

Fixpoint sum (K : nat) (f : vector) : R :=
  match K with
  | O => 0
  | S n => sum n f + f n
  end.

Definition delta (i j : nat) : R := if Nat.eqb i j then 1 else 0.

(* The vector x with s in place of its entry j. *)
Definition update (x : vector) (j : nat) (s : R) : vector := fun k => if Nat.eqb k j then s else x k.

(* f, or each of the K components of F, depends on the first K coordinates only. *)
Definition agree (K : nat) (x x' : vector) := forall k, (k < K)%nat -> x k = x' k.
Definition local (K : nat) (f : vector -> R) := forall x x', agree K x x' -> f x = f x'.
Definition local_map (K : nat) (F : vector -> vector) := forall i, (i < K)%nat -> local K (fun x => F x i).

(* df/dx_j at x is l: the derivative of s -> f(x_1, ..., s, ..., x_K), with s at place j. *)
Definition partial (f : vector -> R) (j : nat) (x : vector) (l : R) :=
  derivable_pt_lim (fun s => f (update x j s)) (x j) l.

(* J_ij = dy_i/dx_j, y = F(x). *)
Definition jacobian (K : nat) (F : vector -> vector) (x : vector) (J : matrix) :=
  forall i j, (i < K)%nat -> (j < K)%nat -> partial (fun z => F z i) j x (J i j).

(* g_i = df/dx_i. *)
Definition gradient (K : nat) (f : vector -> R) (x g : vector) := forall i, (i < K)%nat -> partial f i x (g i).

(* The Frechet derivative; the norm is the sum of the absolute values, and all norms of R^K give the same derivative. *)
Definition norm1 (K : nat) (h : vector) : R := sum K (fun k => Rabs (h k)).
Definition frechet1 (K : nat) (f : vector -> R) (x g : vector) :=
  forall epsilon, 0 < epsilon -> exists radius, 0 < radius /\
    forall h, norm1 K h < radius ->
      Rabs (f (fun k => x k + h k) - f x - sum K (fun k => g k * h k)) <= epsilon * norm1 K h.
Definition frechet (K : nat) (F : vector -> vector) (x : vector) (J : matrix) :=
  forall i, (i < K)%nat -> frechet1 K (fun z => F z i) x (J i).
Definition differentiable (K : nat) (F : vector -> vector) := forall x, exists J, frechet K F x J.

(* --- sums -------------------------------------------------------------------------------------------------------- *)

Lemma sum_ext : forall K f g, (forall k, (k < K)%nat -> f k = g k) -> sum K f = sum K g.
Proof. induction K; intros f g H; simpl; [ reflexivity | rewrite (IHK f g), (H K); auto with arith ]. Qed.

Lemma sum_plus : forall K f g, sum K (fun k => f k + g k) = sum K f + sum K g.
Proof. induction K; intros; simpl; [ ring | rewrite IHK; ring ]. Qed.

Lemma sum_scale : forall K c f, sum K (fun k => c * f k) = c * sum K f.
Proof. induction K; intros; simpl; [ ring | rewrite IHK; ring ]. Qed.

Lemma sum_minus : forall K f g, sum K (fun k => f k - g k) = sum K f - sum K g.
Proof. induction K; intros; simpl; [ ring | rewrite IHK; ring ]. Qed.

Lemma sum_zero : forall K, sum K (fun _ => 0) = 0.
Proof. induction K; simpl; [ reflexivity | rewrite IHK; ring ]. Qed.

Lemma sum_const : forall K c, sum K (fun _ => c) = INR K * c.
Proof. induction K; intros; [ simpl; ring | rewrite S_INR; simpl; rewrite IHK; ring ]. Qed.

Lemma sum_beyond : forall K j f, (K <= j)%nat -> sum K (fun k => delta k j * f k) = 0.
Proof.
  intros. rewrite <- (sum_zero K). apply sum_ext. intros k Hk. unfold delta.
  destruct (Nat.eqb_spec k j); [ lia | ring ].
Qed.

Lemma sum_delta : forall K j f, (j < K)%nat -> sum K (fun k => delta k j * f k) = f j.
Proof.
  induction K; intros j f H; [ lia | simpl ].
  destruct (Nat.eq_dec K j).
  - subst. rewrite sum_beyond by lia. unfold delta. rewrite Nat.eqb_refl. ring.
  - rewrite IHK by lia. unfold delta. destruct (Nat.eqb_spec K j); [ lia | ring ].
Qed.

Lemma delta_sym : forall i j, delta i j = delta j i.
Proof. intros. unfold delta. rewrite Nat.eqb_sym. reflexivity. Qed.

Lemma delta_same : forall i, delta i i = 1.
Proof. intros. unfold delta. rewrite Nat.eqb_refl. reflexivity. Qed.

Lemma delta_other : forall i j, i <> j -> delta i j = 0.
Proof. intros. unfold delta. destruct (Nat.eqb_spec i j); [ contradiction | reflexivity ]. Qed.

Lemma delta_at : forall i j (f : vector), delta i j * f i = delta i j * f j.
Proof. intros. unfold delta. destruct (Nat.eqb_spec i j); [ subst; reflexivity | ring ]. Qed.

Lemma sum_unit : forall K j, (j < K)%nat -> sum K (fun k => delta k j) = 1.
Proof.
  intros. rewrite <- (sum_delta K j (fun _ => 1)) by assumption. apply sum_ext. intros. ring.
Qed.

Lemma sum_nonnegative : forall K f, (forall k, (k < K)%nat -> 0 <= f k) -> 0 <= sum K f.
Proof.
  induction K; intros f H; simpl; [ lra | ].
  assert (0 <= sum K f) by (apply IHK; auto with arith). assert (0 <= f K) by auto with arith. lra.
Qed.

Lemma sum_monotone : forall K f g, (forall k, (k < K)%nat -> f k <= g k) -> sum K f <= sum K g.
Proof.
  induction K; intros f g H; simpl; [ lra | ].
  assert (sum K f <= sum K g) by (apply IHK; auto with arith). assert (f K <= g K) by auto with arith. lra.
Qed.

Lemma sum_at_least : forall K f j, (forall k, (k < K)%nat -> 0 <= f k) -> (j < K)%nat -> f j <= sum K f.
Proof.
  induction K; intros f j H Hj; [ lia | simpl ].
  assert (0 <= f K) by auto with arith.
  assert (0 <= sum K f) by (apply sum_nonnegative; auto with arith).
  destruct (Nat.eq_dec j K); [ subst; lra | ].
  assert (f j <= sum K f) by (apply IHK; [ auto with arith | lia ]). lra.
Qed.

Lemma sum_positive : forall K f, (0 < K)%nat -> (forall k, (k < K)%nat -> 0 < f k) -> 0 < sum K f.
Proof.
  intros K f HK H. apply Rlt_le_trans with (f O); [ auto | ].
  apply sum_at_least; [ intros; left; auto | assumption ].
Qed.

Lemma sum_abs : forall K f, Rabs (sum K f) <= sum K (fun k => Rabs (f k)).
Proof.
  induction K; intros; simpl; [ rewrite Rabs_R0; lra | ].
  apply Rle_trans with (1 := Rabs_triang _ _). specialize (IHK f). lra.
Qed.

(* --- one coordinate at a time ------------------------------------------------------------------------------------ *)

Lemma update_at : forall x j s, update x j s j = s.
Proof. intros. unfold update. rewrite Nat.eqb_refl. reflexivity. Qed.

Lemma update_other : forall x j s k, k <> j -> update x j s k = x k.
Proof. intros. unfold update. destruct (Nat.eqb_spec k j); [ contradiction | reflexivity ]. Qed.

Lemma update_same : forall x j, update x j (x j) = x.
Proof.
  intros. apply functional_extensionality. intros k. unfold update. destruct (Nat.eqb_spec k j); congruence.
Qed.

Lemma update_twice : forall x j s u, update (update x j s) j u = update x j u.
Proof.
  intros. apply functional_extensionality. intros k. unfold update. destruct (Nat.eqb k j); reflexivity.
Qed.

(* What holds at x, and goes on to hold when one coordinate is changed, holds everywhere. *)
Lemma one_coordinate_at_a_time : forall K (Q : vector -> Prop),
  (forall x x', agree K x x' -> Q x -> Q x') ->
  (forall x j s, (j < K)%nat -> Q x -> Q (update x j s)) ->
  forall x x', Q x -> Q x'.
Proof.
  intros K Q same step x x' Hx.
  assert (H : forall n, (n <= K)%nat -> Q (fun k => if Nat.ltb k n then x' k else x k)).
  { induction n; intros Hn.
    - exact Hx.
    - apply same with (update (fun k => if Nat.ltb k n then x' k else x k) n (x' n)).
      + intros k _. unfold update. destruct (Nat.eqb_spec k n); destruct (Nat.ltb_spec k (S n));
          try destruct (Nat.ltb_spec k n); try lia; congruence.
      + apply step; [ lia | apply IHn; lia ]. }
  apply same with (2 := H K (le_n K)). intros k Hk. destruct (Nat.ltb_spec k K); [ reflexivity | lia ].
Qed.

(* A partial derivative at a point of a coordinate line is a derivative along the line. *)
Lemma along : forall f j x s l,
  partial f j (update x j s) l <-> derivable_pt_lim (fun u => f (update x j u)) s l.
Proof.
  intros. unfold partial. rewrite update_at.
  replace (fun u => f (update (update x j s) j u)) with (fun u => f (update x j u)); [ tauto | ].
  apply functional_extensionality. intros. rewrite update_twice. reflexivity.
Qed.

Lemma partial_unique : forall f j x l l', partial f j x l -> partial f j x l' -> l = l'.
Proof. intros f j x l l'. apply uniqueness_limite. Qed.

Lemma partial_eq : forall f j x l l', partial f j x l -> l = l' -> partial f j x l'.
Proof. intros. subst. assumption. Qed.

Lemma partial_ext : forall f g j x l, (forall z, f z = g z) -> partial f j x l -> partial g j x l.
Proof. intros f g j x l H. unfold partial. apply derivable_pt_lim_ext. intros. apply H. Qed.

(* --- rules of differentiation ------------------------------------------------------------------------------------ *)

Lemma partial_const : forall c j x, partial (fun _ => c) j x 0.
Proof. intros. apply derivable_pt_lim_const. Qed.

Lemma partial_coordinate : forall k j x, partial (fun z => z k) j x (delta k j).
Proof.
  intros. unfold partial, update, delta. destruct (Nat.eqb k j); [ apply derivable_pt_lim_id | apply partial_const ].
Qed.

Lemma partial_plus : forall f g j x l m,
  partial f j x l -> partial g j x m -> partial (fun z => f z + g z) j x (l + m).
Proof. intros f g j x l m. apply derivable_pt_lim_plus. Qed.

Lemma partial_minus : forall f g j x l m,
  partial f j x l -> partial g j x m -> partial (fun z => f z - g z) j x (l - m).
Proof. intros f g j x l m. apply derivable_pt_lim_minus. Qed.

Lemma partial_opp : forall f j x l, partial f j x l -> partial (fun z => - f z) j x (- l).
Proof. intros f j x l. apply derivable_pt_lim_opp. Qed.

Lemma partial_mult : forall f g j x l m,
  partial f j x l -> partial g j x m -> partial (fun z => f z * g z) j x (l * g x + f x * m).
Proof.
  intros f g j x l m Hf Hg.
  pose proof (derivable_pt_lim_mult _ _ _ _ _ Hf Hg) as H. cbv beta in H. rewrite update_same in H. exact H.
Qed.

Lemma partial_scale : forall c f j x l, partial f j x l -> partial (fun z => c * f z) j x (c * l).
Proof. intros c f j x l. apply derivable_pt_lim_scal. Qed.

Lemma partial_compose : forall (phi : R -> R) f j x l m,
  partial f j x l -> derivable_pt_lim phi (f x) m -> partial (fun z => phi (f z)) j x (m * l).
Proof.
  intros phi f j x l m Hf Hphi. unfold partial.
  apply (derivable_pt_lim_comp (fun s => f (update x j s)) phi); [ exact Hf | rewrite update_same; exact Hphi ].
Qed.

Lemma partial_exp : forall f j x l, partial f j x l -> partial (fun z => exp (f z)) j x (exp (f x) * l).
Proof. intros. apply partial_compose; [ assumption | apply derivable_pt_lim_exp ]. Qed.

Lemma partial_ln : forall f j x l, 0 < f x -> partial f j x l -> partial (fun z => ln (f z)) j x (/ f x * l).
Proof. intros. apply partial_compose; [ assumption | apply derivable_pt_lim_ln; assumption ]. Qed.

Lemma derivable_inverse : forall u, u <> 0 -> derivable_pt_lim (fun s => / s) u (- / (u * u)).
Proof.
  intros u Hu. pose proof (derivable_pt_lim_div (fun _ => 1) (fun s => s) u 0 1
    (derivable_pt_lim_const 1 u) (derivable_pt_lim_id u) Hu) as H.
  replace (- / (u * u)) with ((0 * u - 1 * 1) / Rsqr u) by (unfold Rsqr; field; assumption).
  refine (derivable_pt_lim_ext _ _ _ _ _ H). intros. unfold div_fct, Rdiv. ring.
Qed.

Lemma partial_inverse : forall f j x l,
  f x <> 0 -> partial f j x l -> partial (fun z => / f z) j x (- / (f x * f x) * l).
Proof. intros. apply partial_compose; [ assumption | apply derivable_inverse; assumption ]. Qed.

Lemma partial_divide : forall f g j x l m, g x <> 0 ->
  partial f j x l -> partial g j x m -> partial (fun z => f z / g z) j x ((l * g x - f x * m) / (g x * g x)).
Proof.
  intros f g j x l m Hg Hf Hm. unfold Rdiv.
  apply partial_eq with (l * / g x + f x * (- / (g x * g x) * m)).
  - apply partial_mult; [ assumption | apply partial_inverse; assumption ].
  - field. assumption.
Qed.

Lemma partial_sum : forall K (f : nat -> vector -> R) j x l,
  (forall k, (k < K)%nat -> partial (f k) j x (l k)) ->
  partial (fun z => sum K (fun k => f k z)) j x (sum K l).
Proof.
  induction K; intros f j x l H; simpl; [ apply partial_const | ].
  apply (partial_plus (fun z => sum K (fun k => f k z)) (f K)); [ apply IHK | ]; auto with arith.
Qed.

(* --- zero gradient means constant -------------------------------------------------------------------------------- *)

Lemma zero_derivative_is_constant : forall f : R -> R,
  (forall s, derivable_pt_lim f s 0) -> forall s u, f s = f u.
Proof.
  intros f H.
  set (pr := fun s => exist (fun l => derivable_pt_abs f s l) 0 (H s) : derivable_pt f s).
  apply (null_derivative_1 f pr). intros s. reflexivity.
Qed.

(* A local function whose K partial derivatives vanish everywhere is constant. *)
Lemma zero_gradient_is_constant : forall K f, local K f ->
  (forall x j, (j < K)%nat -> partial f j x 0) -> forall x x', f x = f x'.
Proof.
  intros K f Hf H x x'. apply (one_coordinate_at_a_time K (fun z => f x = f z)) with x.
  - intros z z' Hz Hx. rewrite Hx. apply Hf. exact Hz.
  - intros z j s Hj Hx. rewrite Hx. rewrite <- (update_same z j) at 1.
    apply (zero_derivative_is_constant (fun u => f (update z j u))).
    intros u. apply along. apply H. exact Hj.
  - reflexivity.
Qed.

(* --- a solution of a linear homogeneous ODE with a zero is zero ------------------------------------------------- *)

Lemma exp_mult_derivative : forall a s, derivable_pt_lim (fun u => exp (a * u)) s (exp (a * s) * a).
Proof.
  intros. apply (derivable_pt_lim_comp (fun u => a * u) exp s a (exp (a * s))); [ | apply derivable_pt_lim_exp ].
  pose proof (derivable_pt_lim_scal (fun u => u) a s 1 (derivable_pt_lim_id s)) as D. rewrite Rmult_1_r in D. exact D.
Qed.

(* y^2 e^(2as) falls where g <= -a, and rises where g >= -a. *)
Lemma weighted_square : forall (y g : R -> R) a s, derivable_pt_lim y s (g s * y s) ->
  derivable_pt_lim (fun u => y u * y u * exp (2 * a * u)) s (2 * (y s * y s) * exp (2 * a * s) * (g s + a)).
Proof.
  intros y g a s H.
  pose proof (derivable_pt_lim_mult _ _ s _ _ (derivable_pt_lim_mult y y s _ _ H H) (exp_mult_derivative (2 * a) s))
    as D.
  replace (2 * (y s * y s) * exp (2 * a * s) * (g s + a)) with
    ((g s * y s * y s + y s * (g s * y s)) * exp (2 * a * s) + (y * y)%F s * (exp (2 * a * s) * (2 * a))).
  - exact D.
  - unfold mult_fct. ring.
Qed.

Lemma linear_ode : forall y g : R -> R, (forall s, continuity_pt g s) ->
  (forall s, derivable_pt_lim y s (g s * y s)) -> forall s0, y s0 = 0 -> forall s, y s = 0.
Proof.
  intros y g Hg Hy s0 H0 s.
  assert (square : forall a, 0 <= exp a) by (intros; left; apply exp_pos).
  assert (zero : forall v e, 0 < e -> v * v * e <= 0 -> v = 0).
  { intros v e He Hv. destruct (Req_dec v 0) as [ | Hn ]; [ assumption | ].
    assert (0 < v * v) by nra. assert (0 < v * v * e) by (apply Rmult_lt_0_compat; assumption). lra. }
  destruct (Rtotal_order s s0) as [ Hs | [ Hs | Hs ] ]; [ | subst; assumption | ].
  - destruct (continuity_ab_min g s s0) as [ m [ Hm _ ] ]; [ lra | intros; apply Hg | ].
    destruct (MVT_cor2 _ _ s s0 Hs (fun c _ => weighted_square y g (- g m) c (Hy c))) as [ c [ Hc Hcs ] ].
    rewrite H0 in Hc. apply (zero _ _ (exp_pos (2 * - g m * s))).
    assert (0 <= g c + - g m) by (specialize (Hm c ltac:(lra)); lra).
    assert (0 <= 2 * (y c * y c) * exp (2 * - g m * c) * (g c + - g m) * (s0 - s)).
    { apply Rmult_le_pos; [ apply Rmult_le_pos; [ apply Rmult_le_pos; [ nra | apply square ] | lra ] | lra ]. }
    lra.
  - destruct (continuity_ab_maj g s0 s) as [ m [ Hm _ ] ]; [ lra | intros; apply Hg | ].
    destruct (MVT_cor2 _ _ s0 s Hs (fun c _ => weighted_square y g (- g m) c (Hy c))) as [ c [ Hc Hcs ] ].
    rewrite H0 in Hc. apply (zero _ _ (exp_pos (2 * - g m * s))).
    assert (g c + - g m <= 0) by (specialize (Hm c ltac:(lra)); lra).
    assert (0 <= 2 * (y c * y c) * exp (2 * - g m * c) * (- (g c + - g m)) * (s - s0)).
    { apply Rmult_le_pos; [ apply Rmult_le_pos; [ apply Rmult_le_pos; [ nra | apply square ] | lra ] | lra ]. }
    lra.
Qed.

(* --- Frechet derivatives ----------------------------------------------------------------------------------------- *)

Lemma norm1_nonnegative : forall K h, 0 <= norm1 K h.
Proof. intros. apply sum_nonnegative. intros. apply Rabs_pos. Qed.

Lemma norm1_unit : forall K j s, (j < K)%nat -> norm1 K (fun k => delta k j * s) = Rabs s.
Proof.
  intros. unfold norm1. rewrite <- (sum_delta K j (fun _ => Rabs s)) by assumption. apply sum_ext.
  intros. rewrite Rabs_mult. unfold delta.
  destruct (Nat.eqb k j); [ rewrite Rabs_R1 | rewrite Rabs_R0 ]; reflexivity.
Qed.

Lemma norm1_entry : forall K h k, (k < K)%nat -> Rabs (h k) <= norm1 K h.
Proof. intros. apply (sum_at_least K (fun i => Rabs (h i))); [ intros; apply Rabs_pos | assumption ]. Qed.

(* The Frechet derivative has the partial derivatives as its entries. *)
Lemma frechet_partial : forall K f x g, frechet1 K f x g -> gradient K f x g.
Proof.
  intros K f x g H j Hj epsilon Hepsilon.
  destruct (H (epsilon / 2)) as [ r [ Hr Hnear ] ]; [ lra | ].
  exists (mkposreal r Hr). intros s Hs Hsmall. simpl in Hsmall.
  specialize (Hnear (fun k => delta k j * s)). rewrite norm1_unit in Hnear by assumption.
  specialize (Hnear Hsmall).
  replace (sum K (fun k => g k * (delta k j * s))) with (g j * s) in Hnear.
  2: { rewrite <- (sum_delta K j (fun k => g k * s)) by assumption. apply sum_ext. intros. ring. }
  replace (fun k => x k + delta k j * s) with (update x j (x j + s)) in Hnear.
  2: { apply functional_extensionality. intros k. unfold update, delta.
       destruct (Nat.eqb_spec k j); [ subst; ring | ring ]. }
  rewrite update_same.
  replace ((f (update x j (x j + s)) - f x) / s - g j) with ((f (update x j (x j + s)) - f x - g j * s) / s)
    by (field; assumption).
  assert (0 < Rabs s) by (apply Rabs_pos_lt; assumption).
  unfold Rdiv. rewrite Rabs_mult, Rabs_inv. apply Rmult_lt_reg_r with (Rabs s); [ assumption | ].
  rewrite Rmult_assoc, Rinv_l by lra. nra.
Qed.

Theorem frechet_jacobian : forall K F x J, frechet K F x J -> jacobian K F x J.
Proof. intros K F x J H i j Hi. apply (frechet_partial K _ x (J i)). apply H. exact Hi. Qed.

(* Where a map is differentiable, its partial derivatives are its derivative. *)
Theorem frechet_iff_jacobian : forall K F x J,
  (exists J', frechet K F x J') -> (frechet K F x J <-> jacobian K F x J).
Proof.
  intros K F x J [ J' HJ' ]. split; [ apply frechet_jacobian | ].
  intros H i Hi epsilon Hepsilon. destruct (HJ' i Hi epsilon Hepsilon) as [ r [ Hr Hnear ] ].
  exists r. split; [ assumption | ]. intros h Hh.
  replace (sum K (fun k => J i k * h k)) with (sum K (fun k => J' i k * h k)); [ apply Hnear; assumption | ].
  apply sum_ext. intros k Hk. f_equal. apply (partial_unique (fun z => F z i) k x).
  - apply frechet_jacobian with K; assumption.
  - apply H; assumption.
Qed.

Lemma frechet1_coordinate : forall K k x, (k < K)%nat -> frechet1 K (fun z => z k) x (fun j => delta j k).
Proof.
  intros K k x Hk epsilon He. exists 1. split; [ lra | ]. intros h _.
  rewrite sum_delta by assumption. replace (x k + h k - x k - h k) with 0 by ring. rewrite Rabs_R0.
  apply Rmult_le_pos; [ lra | apply norm1_nonnegative ].
Qed.

Lemma frechet1_const : forall K c x, frechet1 K (fun _ => c) x (fun _ => 0).
Proof.
  intros K c x epsilon He. exists 1. split; [ lra | ]. intros h _.
  rewrite (sum_ext K _ (fun _ => 0)) by (intros; ring). rewrite sum_zero.
  replace (c - c - 0) with 0 by ring. rewrite Rabs_R0. apply Rmult_le_pos; [ lra | apply norm1_nonnegative ].
Qed.

Lemma frechet1_plus : forall K f g x a b, frechet1 K f x a -> frechet1 K g x b ->
  frechet1 K (fun z => f z + g z) x (fun k => a k + b k).
Proof.
  intros K f g x a b Hf Hg epsilon He.
  destruct (Hf (epsilon / 2)) as [ r [ Hr Hf' ] ]; [ lra | ].
  destruct (Hg (epsilon / 2)) as [ q [ Hq Hg' ] ]; [ lra | ].
  exists (Rmin r q). split; [ apply Rmin_pos; assumption | ]. intros h Hh.
  specialize (Hf' h (Rlt_le_trans _ _ _ Hh (Rmin_l r q))). specialize (Hg' h (Rlt_le_trans _ _ _ Hh (Rmin_r r q))).
  rewrite (sum_ext K _ (fun k => a k * h k + b k * h k)) by (intros; ring). rewrite sum_plus.
  match goal with |- Rabs ?u <= _ => replace u with
    ((f (fun k => x k + h k) - f x - sum K (fun k => a k * h k))
     + (g (fun k => x k + h k) - g x - sum K (fun k => b k * h k))) by ring end.
  apply Rle_trans with (1 := Rabs_triang _ _). lra.
Qed.

(* The chain rule, with a function of one variable outside. *)
Lemma frechet1_compose : forall K (phi : R -> R) f x g l, frechet1 K f x g -> derivable_pt_lim phi (f x) l ->
  frechet1 K (fun z => phi (f z)) x (fun k => l * g k).
Proof.
  intros K phi f x g l Hf Hphi epsilon He.
  set (M := 1 + sum K (fun k => Rabs (g k))).
  assert (HM : 1 <= M).
  { unfold M. assert (0 <= sum K (fun k => Rabs (g k))) by (apply sum_nonnegative; intros; apply Rabs_pos). lra. }
  assert (Hl : 0 <= Rabs l) by apply Rabs_pos.
  destruct (Hphi (epsilon / (2 * M))) as [ [ r Hr ] Hnear ].
  { apply Rdiv_lt_0_compat; lra. }
  simpl in Hnear.
  set (e := Rmin 1 (epsilon / (2 * (Rabs l + 1)))).
  assert (Hep : 0 < e) by (apply Rmin_pos; [ lra | apply Rdiv_lt_0_compat; lra ]).
  assert (He1 : e <= 1) by apply Rmin_l.
  assert (He2 : Rabs l * e <= epsilon / 2).
  { apply Rle_trans with ((Rabs l + 1) * (epsilon / (2 * (Rabs l + 1)))).
    - assert (e <= epsilon / (2 * (Rabs l + 1))) by apply Rmin_r. nra.
    - right. field. lra. }
  destruct (Hf e Hep) as [ q [ Hq Hf' ] ].
  exists (Rmin q (r / M)). split; [ apply Rmin_pos; [ assumption | apply Rdiv_lt_0_compat; lra ] | ].
  intros h Hh. specialize (Hf' h (Rlt_le_trans _ _ _ Hh (Rmin_l _ _))).
  assert (Hhr : norm1 K h * M < r).
  { apply Rlt_le_trans with (r / M * M); [ | right; field; lra ].
    apply Rmult_lt_compat_r; [ lra | ]. exact (Rlt_le_trans _ _ _ Hh (Rmin_r _ _)). }
  assert (Hn := norm1_nonnegative K h).
  set (u := f (fun k => x k + h k) - f x) in *. set (L := sum K (fun k => g k * h k)) in *.
  assert (HL : Rabs L <= (M - 1) * norm1 K h).
  { unfold L. apply Rle_trans with (1 := sum_abs _ _).
    apply Rle_trans with (sum K (fun k => norm1 K h * Rabs (g k))).
    - apply sum_monotone. intros k Hk. rewrite Rabs_mult.
      assert (Rabs (h k) <= norm1 K h) by (apply norm1_entry; assumption).
      assert (0 <= Rabs (g k)) by apply Rabs_pos. nra.
    - rewrite sum_scale. unfold M. right. ring. }
  assert (Hu : Rabs u <= M * norm1 K h).
  { replace u with ((u - L) + L) by ring. apply Rle_trans with (1 := Rabs_triang _ _). nra. }
  rewrite (sum_ext K _ (fun k => l * (g k * h k))) by (intros; ring). rewrite sum_scale. fold L.
  replace (f (fun k => x k + h k)) with (f x + u) by (unfold u; ring).
  assert (Hphi' : Rabs (phi (f x + u) - phi (f x) - l * u) <= epsilon / (2 * M) * Rabs u).
  { destruct (Req_dec u 0) as [ H0 | H0 ].
    - rewrite H0, Rplus_0_r. replace (phi (f x) - phi (f x) - l * 0) with 0 by ring. rewrite Rabs_R0. lra.
    - specialize (Hnear u H0 ltac:(lra)).
      replace (phi (f x + u) - phi (f x) - l * u) with (((phi (f x + u) - phi (f x)) / u - l) * u)
        by (field; assumption).
      rewrite Rabs_mult. apply Rmult_le_compat_r; [ apply Rabs_pos | lra ]. }
  replace (phi (f x + u) - phi (f x) - l * L) with ((phi (f x + u) - phi (f x) - l * u) + l * (u - L)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _). rewrite (Rabs_mult l).
  assert (epsilon / (2 * M) * Rabs u <= epsilon / 2 * norm1 K h).
  { apply Rle_trans with (epsilon / (2 * M) * (M * norm1 K h)).
    - apply Rmult_le_compat_l; [ left; apply Rdiv_lt_0_compat; lra | assumption ].
    - right. field. lra. }
  assert (Rabs l * Rabs (u - L) <= epsilon / 2 * norm1 K h).
  { apply Rle_trans with (Rabs l * (e * norm1 K h)); [ apply Rmult_le_compat_l; assumption | nra ]. }
  lra.
Qed.

Lemma frechet1_eq : forall K f x g g', agree K g g' -> frechet1 K f x g -> frechet1 K f x g'.
Proof.
  intros K f x g g' Hg H epsilon He. destruct (H epsilon He) as [ r [ Hr Hnear ] ]. exists r.
  split; [ assumption | ]. intros h Hh. rewrite <- (sum_ext K (fun k => g k * h k)); [ apply Hnear; assumption | ].
  intros. rewrite Hg by assumption. reflexivity.
Qed.

Lemma frechet1_scale : forall K c f x g, frechet1 K f x g -> frechet1 K (fun z => c * f z) x (fun k => c * g k).
Proof.
  intros K c f x g H. apply (frechet1_compose K (fun s => c * s)); [ assumption | ].
  pose proof (derivable_pt_lim_scal (fun s => s) c (f x) 1 (derivable_pt_lim_id (f x))) as D.
  rewrite Rmult_1_r in D. exact D.
Qed.

Lemma derivable_square : forall u, derivable_pt_lim (fun s => s * s) u (2 * u).
Proof.
  intros. replace (2 * u) with (1 * u + u * 1) by ring.
  apply (derivable_pt_lim_mult (fun s => s) (fun s => s)); apply derivable_pt_lim_id.
Qed.

(* f g = ((f + g)^2 - (f - g)^2) / 4 *)
Lemma frechet1_mult : forall K f g x a b, frechet1 K f x a -> frechet1 K g x b ->
  frechet1 K (fun z => f z * g z) x (fun k => a k * g x + f x * b k).
Proof.
  intros K f g x a b Hf Hg.
  pose proof (frechet1_plus _ _ _ _ _ _ Hf Hg) as Hplus.
  pose proof (frechet1_plus _ _ _ _ _ _ Hf (frechet1_scale _ (- 1) _ _ _ Hg)) as Hminus.
  pose proof (frechet1_compose _ _ _ _ _ _ Hplus (derivable_square _)) as H1.
  pose proof (frechet1_compose _ _ _ _ _ _ Hminus (derivable_square _)) as H2.
  pose proof (frechet1_plus _ _ _ _ _ _ (frechet1_scale _ (1 / 4) _ _ _ H1)
    (frechet1_scale _ (- (1 / 4)) _ _ _ H2)) as H.
  apply (frechet1_eq K _ x _ (fun k => a k * g x + f x * b k)) in H.
  2: { intros k _. cbv beta. field. }
  intros epsilon He. destruct (H epsilon He) as [ r [ Hr Hnear ] ]. exists r. split; [ assumption | ].
  intros h Hh. specialize (Hnear h Hh). cbv beta in Hnear.
  match goal with |- Rabs ?u <= _ => match type of Hnear with Rabs ?v <= _ => replace u with v; [ assumption | field ] end end.
Qed.

Lemma frechet1_sum : forall N K (f : nat -> vector -> R) x (g : nat -> vector),
  (forall n, (n < N)%nat -> frechet1 K (f n) x (g n)) ->
  frechet1 K (fun z => sum N (fun n => f n z)) x (fun k => sum N (fun n => g n k)).
Proof.
  induction N; intros K f x g H; simpl; [ apply frechet1_const | ].
  apply (frechet1_plus K (fun z => sum N (fun n => f n z)) (f N) x (fun k => sum N (fun n => g n k)) (g N));
    [ apply IHN | ]; auto with arith.
Qed.
